"""Time training steps and backtests beside the bare network and beside neuralforecast."""

from lanecast.cli import main

if __name__ == "__main__":
    main("benchmark", "benchmarks.speed.verb:run")
