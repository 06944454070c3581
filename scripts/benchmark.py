"""Time training steps and backtests beside the bare network and beside neuralforecast."""

from omegaconf import DictConfig

from lanecast import config


@config.main("benchmark")
def main(cfg: DictConfig) -> float:
    from lanecast.checks.bench import verb

    return verb.run(cfg)


if __name__ == "__main__":
    main()
