"""Backtest a model over rolling cutoffs."""

from omegaconf import DictConfig

from lanecast import config


@config.main("backtest")
def main(cfg: DictConfig) -> float:
    from lanecast import backtesting

    return backtesting.run(cfg).objective.value


if __name__ == "__main__":
    main()
