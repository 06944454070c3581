"""Plan trailers and heads from a run's sample paths: ``plan.py run=<dir> plan=stochastic``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("plan")
def main(cfg: DictConfig) -> float:
    from lanecast.workflows import plan

    return plan.run(cfg).objective.value


if __name__ == "__main__":
    main()
