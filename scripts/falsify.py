"""Hold the declared graph against the data: ``data=midmile dag=midmile``, or ``run=<folder>``."""

from lanecast.cli import main

if __name__ == "__main__":
    main("falsify")
