"""Why did a forecast move, how does an action work, what made it miss?  ``run=<folder>``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("explain")
