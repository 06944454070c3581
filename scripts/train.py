"""Train one model."""

from omegaconf import DictConfig

from lanecast import config


@config.main("train")
def main(cfg: DictConfig) -> float:
    from lanecast import training

    return training.run(cfg).objective.value


if __name__ == "__main__":
    main()
