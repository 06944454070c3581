"""Write an experiment record from run folders: ``record.py runs=... slug=...``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("record")
