"""Write a store: a panel on disk, for data larger than memory."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("prepare")
def main(cfg: DictConfig) -> float:
    from lanecast.workflows import prepare

    return prepare.run(cfg)


if __name__ == "__main__":
    main()
