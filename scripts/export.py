"""Export a trained network for serving."""

from omegaconf import DictConfig

from lanecast import config


@config.main("export")
def main(cfg: DictConfig) -> None:
    from lanecast import exporting

    exporting.run(cfg)


if __name__ == "__main__":
    main()
