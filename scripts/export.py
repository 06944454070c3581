"""Export a trained network for serving."""

from lanecast.cli import main

if __name__ == "__main__":
    main("export")
