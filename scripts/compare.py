"""Compare run folders in one table: ``compare.py runs='runs/demo/*' baseline=seasonal_naive``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("compare")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows import compare

    compare.run(cfg)


if __name__ == "__main__":
    main()
