"""plan-demo: what do plans cost on a network whose true futures can be drawn?"""

from lanecast.cli import main

if __name__ == "__main__":
    main("plan_demo", "benchmarks.plan_demo.verb:run")
