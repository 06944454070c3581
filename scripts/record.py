"""Write an experiment record from run folders: ``record.py runs=... slug=...``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("record")
def main(cfg: DictConfig) -> None:
    from lanecast.report import experiments

    experiments.run(cfg)


if __name__ == "__main__":
    main()
