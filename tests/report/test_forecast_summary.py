"""What a forecast ends with: totals by step, and the series worth a picture."""

import numpy as np
import pytest

from lanecast.data.forecasts import Forecasts
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.report.figures import overview_figure
from lanecast.report.forecast_summary import SHOWN, headline, pictured_series, total_lines

HORIZONS = [7, SHOWN, SHOWN + 1, 100]


def forecasts_of(panel, horizon, *, cutoff=119, scale=1.0):
    index = windows_at(panel, [cutoff], WindowSpec(context=28, horizon=horizon))
    point_WH = np.arange(len(index) * horizon, dtype=np.float32).reshape(len(index), horizon)
    return Forecasts(index=index, point_WH=scale * point_WH, levels=(), quantiles_WHQ=None)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_totals_are_at_most_a_screen_and_end_with_the_last_step(panel, horizon):
    forecasts = forecasts_of(panel, horizon)
    lines = total_lines(panel, forecasts, unit="parcels")
    assert len(lines) == 1 + min(horizon, SHOWN)
    assert lines[0].endswith("parcels")
    assert lines[1].split()[0] == f"{panel.time_of(120):%F}"
    assert lines[-1].split()[0] == f"{panel.time_of(119 + horizon):%F}"
    left_out = [int(line.split()[1]) for line in lines if line.startswith("...")]
    assert sum(left_out) == max(0, horizon - (SHOWN - 1)) * (horizon > SHOWN)


def test_totals_sum_over_series(panel):
    forecasts = forecasts_of(panel, 3)
    expected = forecasts.point_WH.sum(axis=0)
    shown = [float(line.split()[1]) for line in total_lines(panel, forecasts, unit="y")[1:]]
    assert shown == pytest.approx(expected.tolist())
    large = total_lines(panel, forecasts_of(panel, 3, scale=1e6), unit="y")
    assert large[1].endswith(f"{expected[0] * 1e6:,.0f}")


def test_headline_counts_series_and_names_the_days(panel):
    words = headline(panel, forecasts_of(panel, 14))
    first, last = (f"{panel.time_of(119 + step):%F}" for step in (1, 14))
    assert words == f"{panel.num_series} series, 14 steps of D, {first} to {last}"


def test_the_largest_series_is_pictured_unless_others_are_named(panel):
    forecasts, warnings = forecasts_of(panel, 3), []
    assert pictured_series(panel, forecasts, None, warnings.append) == [len(forecasts.index) - 1]
    names = [str(panel.series[1]), "nowhere", str(panel.series[0])]
    assert pictured_series(panel, forecasts, names, warnings.append) == [1, 0]
    (warning,) = warnings
    assert warning.startswith("plot names 'nowhere'")


def test_overview_draws_the_total_of_history_and_forecast(panel, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: kept.append(self))
    forecasts = forecasts_of(panel, 5)
    overview_figure(panel, forecasts, [0], tmp_path / "a.png", unit="parcels")
    total, single = kept[0].axes
    history, ahead = (line.get_ydata() for line in total.lines[:2])
    y = panel.values[:, 0].numpy()
    at_cutoff = [
        y[panel.offsets[number] + 119 - panel.start[number]] for number in forecasts.index.series_W
    ]
    assert history[-1] == pytest.approx(np.nansum(at_cutoff))
    assert ahead == pytest.approx(forecasts.point_WH.sum(axis=0))
    assert total.get_ylabel() == "parcels per day"
    assert str(panel.series[0]) in single.get_title(loc="left")


def test_total_of_steps_without_a_target_is_missing(panel):
    steps = [-5, 119, panel.last_step + 1]
    totals = panel.total(np.arange(panel.num_series), steps)
    assert np.isnan(totals[[0, 2]]).all()
    assert np.isfinite(totals[1])
