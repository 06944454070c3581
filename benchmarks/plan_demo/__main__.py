"""plan-demo: what do plans cost on a network whose true futures can be drawn?"""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("plan_demo")
def main(cfg: DictConfig) -> float:
    from benchmarks.plan_demo.verb import run

    return run(cfg)


if __name__ == "__main__":
    main()
