"""Backtest a model over rolling cutoffs."""

from lanecast.cli import main

if __name__ == "__main__":
    main("backtest")
