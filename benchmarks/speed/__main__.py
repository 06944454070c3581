"""Time training steps and backtests beside the bare network and beside neuralforecast."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("benchmark")
def main(cfg: DictConfig) -> float:
    from benchmarks.speed import verb

    return verb.run(cfg)


if __name__ == "__main__":
    main()
