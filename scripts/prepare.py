"""Write a store: a panel on disk, for data larger than memory."""

from lanecast.cli import main

if __name__ == "__main__":
    main("prepare")
