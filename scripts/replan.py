"""Go through a span of days, planning again by each strategy: ``replan.py run=<dir>``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("replan")
def main(cfg: DictConfig) -> float:
    from lanecast import replanning

    return replanning.run(cfg).objective.value


if __name__ == "__main__":
    main()
