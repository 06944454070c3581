"""Measure what a trained model may be asked, and write it into its record: ``run=<folder>``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("audit")
