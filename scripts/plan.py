"""Plan trailers and heads from a run's sample paths: ``plan.py run=<dir> plan=stochastic``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("plan")
def main(cfg: DictConfig) -> float:
    from lanecast import planner

    return planner.run(cfg).objective.value


if __name__ == "__main__":
    main()
