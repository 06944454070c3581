"""Write an experiment record from run folders: ``record.py runs=... slug=...``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("record")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows import record

    record.run(cfg)


if __name__ == "__main__":
    main()
