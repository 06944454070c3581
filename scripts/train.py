"""Train one model."""

from lanecast.cli import main

if __name__ == "__main__":
    main("train")
