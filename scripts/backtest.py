"""Backtest a model over rolling cutoffs."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("backtest")
def main(cfg: DictConfig) -> float:
    from lanecast.workflows import backtest

    return backtest.run(cfg).objective.value


if __name__ == "__main__":
    main()
