"""Write a synthetic middle mile."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("generate")
def main(cfg: DictConfig) -> float:
    from lanecast.workflows import generate

    return generate.run(cfg)


if __name__ == "__main__":
    main()
