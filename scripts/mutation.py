"""Inject defects into good data and pipelines, and count those that the checks catch."""

from omegaconf import DictConfig

from lanecast import config


@config.main("mutation")
def main(cfg: DictConfig) -> float:
    from lanecast.checks.mutation import verb

    return verb.run(cfg)


if __name__ == "__main__":
    main()
