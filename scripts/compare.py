"""Compare run folders in one table: ``compare.py runs='runs/demo/*' baseline=seasonal_naive``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("compare")
def main(cfg: DictConfig) -> None:
    from lanecast.report import comparing

    comparing.run(cfg)


if __name__ == "__main__":
    main()
