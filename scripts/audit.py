"""Measure what a trained model may be asked, and write it into its record: ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("audit")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows.audit import run

    run(cfg)


if __name__ == "__main__":
    main()
