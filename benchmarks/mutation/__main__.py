"""Inject defects into good data and pipelines, and count those that the checks catch."""

from lanecast.cli import main

if __name__ == "__main__":
    main("mutation", "benchmarks.mutation.verb:run")
