"""Time our training step against the bare network."""

from omegaconf import DictConfig

from lanecast import config


@config.main("benchmark")
def main(cfg: DictConfig) -> float:
    from lanecast.checks.bench import steps

    return steps.run(cfg)


if __name__ == "__main__":
    main()
