"""Export a trained network for serving."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("export")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows import export

    export.run(cfg)


if __name__ == "__main__":
    main()
