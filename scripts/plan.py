"""Plan trailers and heads from a run's sample paths: ``plan.py run=<dir> plan=stochastic``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("plan")
