"""Train one model."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("train")
def main(cfg: DictConfig) -> float:
    from lanecast.workflows import train

    return train.run(cfg).objective.value


if __name__ == "__main__":
    main()
