"""Ask a trained model what an action would do: ``scenario.py run=<dir> scenario=promo_on``."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("scenario")
def main(cfg: DictConfig) -> float:
    from lanecast.workflows import scenario

    return scenario.run(cfg).objective.value


if __name__ == "__main__":
    main()
