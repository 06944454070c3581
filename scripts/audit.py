"""Measure what a trained model may be asked, and write it into its record: ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("audit")
def main(cfg: DictConfig) -> None:
    from lanecast.checks.audit import run

    run(cfg)


if __name__ == "__main__":
    main()
