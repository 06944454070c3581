"""Forecast beyond the last row with a trained model."""

from omegaconf import DictConfig

from lanecast import config


@config.main("forecast")
def main(cfg: DictConfig) -> None:
    from lanecast import forecasting

    forecasting.run(cfg)


if __name__ == "__main__":
    main()
