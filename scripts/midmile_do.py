"""midmile-do: how well do models answer what-if questions on a network whose truth is known?"""

from lanecast.cli import main

if __name__ == "__main__":
    main("midmile_do")
