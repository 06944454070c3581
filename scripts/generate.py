"""Write a synthetic middle mile."""

from omegaconf import DictConfig

from lanecast import config


@config.main("generate")
def main(cfg: DictConfig) -> float:
    from lanecast import generating

    return generating.run(cfg)


if __name__ == "__main__":
    main()
