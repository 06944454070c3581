"""Probe a pipeline for leakage, from the raw table to the forecast."""

from omegaconf import DictConfig

from lanecast import config


@config.main("probe")
def main(cfg: DictConfig) -> float:
    from lanecast.checks import probe

    return probe.run(cfg).moved


if __name__ == "__main__":
    main()
