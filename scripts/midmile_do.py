"""midmile-do: how well do models answer what-if questions on a network whose truth is known?"""

from omegaconf import DictConfig

from lanecast import config


@config.main("midmile_do")
def main(cfg: DictConfig) -> float:
    from lanecast.checks.midmile_do.verb import run

    return run(cfg)


if __name__ == "__main__":
    main()
