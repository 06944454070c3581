"""`lanecast.forecast`: frames, totals and pictures of what lies ahead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lanecast as lc
from lane_table import HORIZON, LAST

Build = Callable[..., lc.Forecaster]


@pytest.fixture
def ahead(panel: lc.Panel, small: Build, promotions: pd.DataFrame) -> lc.ForecastResult:
    """Fourteen days of both lanes."""
    return lc.forecast(panel, small("linear"), future=promotions, samples=5)


def test_a_forecast_gives_frames_and_totals(ahead: lc.ForecastResult) -> None:
    assert list(ahead.frame)[:5] == ["unique_id", "ds", "cutoff", "linear", "linear-q0.05"]
    assert len(ahead.frame) == 2 * HORIZON
    assert {"linear-lo-80", "linear-hi-80", "linear-median"} <= set(ahead.to_nixtla())
    np.testing.assert_allclose(ahead.total["linear"], ahead.forecasts.point_WH.sum(axis=0))
    assert list(ahead.total["ds"]) == list(pd.date_range(LAST, periods=15)[1:])
    assert len(ahead.samples) == 5 * 2 * HORIZON
    shown = repr(ahead)
    assert "linear: 2 series, 14 steps of D, 2024-05-30 to 2024-06-12" in shown
    assert f"{ahead.total['linear'].iloc[0]:.4g}" in shown


def test_promotions_move_the_forecast(
    panel: lc.Panel, small: Build, promotions: pd.DataFrame
) -> None:
    fitted = lc.fit(panel, small("linear", max_steps=30))
    none, all_days = (
        lc.forecast(panel, fitted, future=promotions.assign(promo=value)) for value in (0, 1)
    )
    assert (none.frame["linear"] != all_days.frame["linear"]).any()


def test_without_known_future_the_forecast_is_refused_with_the_way_out(
    panel: lc.Panel, small: Build, promotions: pd.DataFrame
) -> None:
    with pytest.raises(lc.SchemaError, match=r"'promo' is known_future but missing.*\(future=\)"):
        lc.forecast(panel, small("linear"))
    with pytest.raises(lc.SchemaError, match="from 2024-06-05"):
        lc.forecast(panel, small("linear"), future=promotions[promotions["ds"] < "2024-06-05"])


def test_days_ahead_may_use_the_names_of_the_table(
    table: pd.DataFrame, promotions: pd.DataFrame, small: Build, ahead: lc.ForecastResult
) -> None:
    def named(frame: pd.DataFrame) -> pd.DataFrame:
        ends = frame["unique_id"].str.split(">", expand=True)
        return frame.drop(columns="unique_id").assign(o=ends[0], d=ends[1])

    panel = lc.panel(named(table), id=["o", "d"], known_future=["promo"], observed=["late"])
    again = lc.forecast(panel, small("linear"), future=named(promotions), samples=5)
    pd.testing.assert_frame_equal(again.frame, ahead.frame)


def test_a_cutoff_may_lie_earlier_and_not_outside(panel: lc.Panel, small: Build) -> None:
    early = lc.forecast(panel, small("seasonal_naive"), cutoff="2024-05-01")
    assert early.frame["ds"].min() == pd.Timestamp("2024-05-02")
    with pytest.raises(lc.ConfigError, match="cutoff=2030-01-01 is no cutoff of this table"):
        lc.forecast(panel, small("seasonal_naive"), cutoff="2030-01-01")


def test_a_series_without_history_is_left_out_and_named(table: pd.DataFrame, small: Build) -> None:
    old = (table["unique_id"] == "A>B") & (table["ds"] > "2024-02-01")
    panel = lc.panel(table[~old], drop=["promo", "late"])
    result = lc.forecast(panel, small("seasonal_naive"))
    assert result.left_out == ("A>B",)
    assert "1 of 2 series are not forecast" in result.warnings[0]
    assert "(min_context): 'A>B'" in repr(result)


def test_a_series_without_known_future_is_left_out_or_refused(
    panel: lc.Panel, small: Build, promotions: pd.DataFrame
) -> None:
    fitted = lc.fit(panel, small("linear"))
    some = promotions[promotions["unique_id"] == "A>C"]
    result = lc.forecast(panel, fitted, future=some)
    assert result.left_out == ("A>B",)
    assert "'A>B' (promo from 2024-05-30); supply it in the future table (future=)" in repr(result)
    with pytest.raises(
        lc.SchemaError, match="'promo' is known_future but missing for series 'A>B'"
    ):
        lc.forecast(panel, fitted, future=some, strict=True)


def test_a_newer_table_is_encoded_as_for_the_fit(table: pd.DataFrame, small: Build) -> None:
    named = table.assign(city=table["unique_id"].map({"A>B": "Boston", "A>C": "Calgary"}))
    rest = {"static": "city", "drop": ["promo", "late"]}
    fitted = lc.fit(lc.panel(named, **rest), small("linear"))
    newer = named.replace("Boston", "Akron")
    result = lc.forecast(lc.panel(newer, **rest), fitted)
    assert result.panel.static_names == ("city=Boston", "city=Calgary")
    assert result.panel.counts["unknown_static_levels"] == 1


def test_a_lane_is_drawn_on_ones_own_axes(ahead: lc.ForecastResult, elsewhere: Path) -> None:
    from matplotlib import pyplot

    _, own = pyplot.subplots()
    assert ahead.plot("A>C", ax=own) is own
    assert own.get_title("left") == "A>C: 14 steps ahead from 2024-05-29"
    assert own.get_ylabel() == "y per day"
    axes = ahead.plot()
    assert axes.figure is not own.figure
    assert list(elsewhere.iterdir()) == []


def test_a_dollar_in_a_name_begins_no_formula(table: pd.DataFrame, small: Build) -> None:
    priced = table.assign(unique_id=table["unique_id"].replace("A>B", "A$>B$"))
    panel = lc.panel(priced, drop=["promo", "late"])
    axes = lc.forecast(panel, small("seasonal_naive")).plot("A$>B$")
    axes.figure.canvas.draw()
    assert not axes.title.get_parse_math()
    assert axes.get_title("left").startswith("A$>B$")


def test_an_unknown_series_or_cutoff_is_not_drawn(
    ahead: lc.ForecastResult, panel: lc.Panel, small: Build
) -> None:
    from matplotlib import pyplot

    with pytest.raises(lc.LanecastError, match="'A>D' is not in the panel of 2 series; did you"):
        ahead.plot("A>D")
    backtest = lc.backtest(panel, small("seasonal_naive"), cutoffs=2)
    with pytest.raises(lc.LanecastError, match="was forecast at 2024-05-01, 2024-05-15"):
        backtest.plot("A>B", cutoff="2024-05-02")
    assert backtest.plot("A>B", cutoff="2024-05-01").get_title("left").endswith("2024-05-01")
    assert len(pyplot.get_fignums()) == 1  # none is left of what was refused
