"""Measure what a trained model may be asked, and write it into its record: ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("audit")
def main(cfg: DictConfig) -> None:
    from lanecast.audits.do_validity import run

    run(cfg)


if __name__ == "__main__":
    main()
