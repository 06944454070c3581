"""Hold the declared graph against the data: ``data=midmile dag=midmile``, or ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast import config


@config.main("falsify")
def main(cfg: DictConfig) -> None:
    from lanecast.checks.falsifying import run

    run(cfg)


if __name__ == "__main__":
    main()
