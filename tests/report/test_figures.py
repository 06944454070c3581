import sys

import numpy as np
import pytest

from lanecast.data.forecasts import Forecasts
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import LanecastError
from lanecast.report.figures import forecast_figure, step_name


@pytest.fixture
def forecasts(panel):
    index = windows_at(panel, [90, 119], WindowSpec(context=28, horizon=14))
    quantiles = np.sort(np.random.default_rng(0).uniform(0, 40, (len(index), 14, 5)), axis=-1)
    return Forecasts(
        index=index,
        point_WH=quantiles[..., 2],
        levels=(0.05, 0.1, 0.5, 0.9, 0.95),
        quantiles_WHQ=quantiles,
    )


def drawn(monkeypatch, *args, **options):
    """Labels of what the figure shows, and the axes' own."""
    from matplotlib.figure import Figure

    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: kept.append(self))
    forecast_figure(*args, **options)
    axes = kept[0].axes[0]
    return axes, axes.get_legend_handles_labels()[1]


def test_the_figure_is_a_png_and_leaves_pyplot_alone(panel, forecasts, tmp_path):
    sys.modules.pop("matplotlib.pyplot", None)
    path = forecast_figure(panel, forecasts, "A>B", 90, tmp_path / "new" / "forecast.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules


def test_the_figure_shows_history_fans_and_actuals(panel, forecasts, tmp_path, monkeypatch):
    axes, names = drawn(monkeypatch, panel, forecasts, 0, "2024-03-31", tmp_path / "a.png")
    assert names == ["history", "actual", "90 % interval", "80 % interval", "forecast"]
    assert axes.get_ylabel() == "y per day"


def test_the_future_has_no_actuals(panel, forecasts, tmp_path, monkeypatch):
    _, names = drawn(monkeypatch, panel, forecasts, "A>B", 119, tmp_path / "a.png")
    assert "actual" not in names


def test_a_point_forecast_has_no_fan(panel, forecasts, tmp_path, monkeypatch):
    point = Forecasts(index=forecasts.index, point_WH=forecasts.point_WH)
    _, names = drawn(monkeypatch, panel, point, "A>B", 90, tmp_path / "a.png", unit="flights")
    assert names == ["history", "actual", "forecast"]


def test_a_window_that_was_not_forecast_says_which_were(panel, forecasts, tmp_path):
    with pytest.raises(LanecastError, match="forecast at 2024-03-31, 2024-04-29"):
        forecast_figure(panel, forecasts, "A>B", 91, tmp_path / "a.png")
    with pytest.raises(LanecastError, match="'X>Y' is not in the panel"):
        forecast_figure(panel, forecasts, "X>Y", 90, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("freq", "name"),
    [("D", "day"), ("h", "hour"), ("15min", "15 minutes"), ("W-SUN", "week"), ("2h", "2 hours")],
)
def test_a_frequency_is_named_in_words(freq, name):
    assert step_name(freq) == name
