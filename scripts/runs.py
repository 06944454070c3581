"""List run folders with their size, and delete some: ``runs.py status=failed delete=true``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("runs")
