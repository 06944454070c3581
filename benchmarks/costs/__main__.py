"""Time a fit and a forecast of every model, and write what each costs beside seasonal_naive."""

from lanecast.cli import main

if __name__ == "__main__":
    main("costs", "benchmarks.costs.verb:run")
