"""Go through a span of days, planning again by each strategy: ``replan.py run=<dir>``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("replan")
