"""Does a forecast depend on what was not known? As backtest.py, or ``run=<folder>``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("probe")
