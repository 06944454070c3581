"""Ask a trained model what an action would do: ``scenario.py run=<dir> scenario=promo_on``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("scenario")
