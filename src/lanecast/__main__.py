"""``python -m lanecast`` is the command ``lanecast``."""

from lanecast.cli import main

if __name__ == "__main__":
    main()
