"""Compare run folders in one table: ``compare.py runs='runs/demo/*' baseline=seasonal_naive``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("compare")
