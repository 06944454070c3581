"""Inject defects into good data and pipelines, and count those that the checks catch."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("mutation")
def main(cfg: DictConfig) -> float:
    from benchmarks.mutation import verb

    return verb.run(cfg)


if __name__ == "__main__":
    main()
