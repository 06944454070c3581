"""Does a forecast depend on what was not known? As backtest.py, or ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("probe")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows.probe import run

    run(cfg)


if __name__ == "__main__":
    main()
