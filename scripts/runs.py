"""List run folders with their size, and delete some: ``runs.py status=failed delete=true``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("runs")
def main(cfg: DictConfig) -> int:
    from lanecast.workflows import runs

    return runs.run(cfg)


if __name__ == "__main__":
    main()
