"""List all faults of a table and its config at once: ``data=panel_csv data.path=orders.csv``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("check")
