"""Forecast beyond the last row with a trained model."""

from lanecast.cli import main

if __name__ == "__main__":
    main("forecast")
