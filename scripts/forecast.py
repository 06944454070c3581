"""Forecast beyond the last row with a trained model."""

from omegaconf import DictConfig

from lanecast.cli import entry


@entry.main("forecast")
def main(cfg: DictConfig) -> None:
    from lanecast.workflows import forecast

    forecast.run(cfg)


if __name__ == "__main__":
    main()
