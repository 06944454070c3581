"""Write a synthetic middle mile."""

from lanecast.cli import main

if __name__ == "__main__":
    main("generate")
