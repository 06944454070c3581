"""Why did a forecast move, how does an action work, what made it miss?  ``run=<folder>``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("explain")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows.explain import run

    run(cfg)


if __name__ == "__main__":
    main()
