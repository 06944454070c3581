"""Ask a trained model what an action would do: ``scenario.py run=<dir> scenario=promo_on``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("scenario")
def main(cfg: DictConfig) -> float:
    from lanecast import scenarios

    return scenarios.run(cfg).objective.value


if __name__ == "__main__":
    main()
