"""midmile-do: how well do models answer what-if questions on a network whose truth is known?"""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("midmile_do")
def main(cfg: DictConfig) -> float:
    from lanecast.benchmarks.midmile_do.run import run

    return run(cfg)


if __name__ == "__main__":
    main()
