"""Write a store: a panel on disk, for data larger than memory."""

from omegaconf import DictConfig

from lanecast import config


@config.main("prepare")
def main(cfg: DictConfig) -> float:
    from lanecast import preparing

    return preparing.run(cfg)


if __name__ == "__main__":
    main()
