"""Go through a span of days, planning again by each strategy: ``replan.py run=<dir>``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("replan")
def main(cfg: DictConfig) -> float:
    from lanecast.workflows import replan

    return replan.run(cfg).objective.value


if __name__ == "__main__":
    main()
