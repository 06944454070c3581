"""Does a forecast depend on what was not known? As backtest.py, or ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("probe")
def main(cfg: DictConfig) -> None:
    from lanecast.checks.probe import run

    run(cfg)


if __name__ == "__main__":
    main()
