"""Print a table of all models: kind, covariates, intervals, relative cost."""

from lanecast.cli import main

if __name__ == "__main__":
    main("models")
