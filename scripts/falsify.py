"""Hold the declared graph against the data: ``data=midmile dag=midmile``, or ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("falsify")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows.falsify import run

    run(cfg)


if __name__ == "__main__":
    main()
