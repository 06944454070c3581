"""Plain rows beside loops over the visible targets, and what named days teach."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.config.seasons import usual_season
from lanecast.data.ingest.calendar import calendar_features
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema, step_length
from lanecast.data.windows import WindowIndex, WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.classical.plain import (
    EventMedian,
    PhaseMedian,
    TrailingMean,
    TrailingMedian,
    row_medians,
    weighted_medians,
)
from lanecast.testing import check_forecaster

SPEC = WindowSpec(context=14, horizon=10, min_context=1)


def panel_of(y_NT, *, freq="D", delay=None, first="2021-01-01", days=None, ahead=60) -> Panel:
    """A rectangular panel of some series, with the calendar that ``days`` names."""
    y_NT = np.asarray(y_NT, dtype=np.float32)
    num, steps = y_NT.shape
    times = pd.date_range(first, periods=steps + ahead, freq=freq)
    calendar, names = calendar_features(times, freq=freq, features=["weekday"], days=days)
    columns = {"y": {"role": "target", **({"delay": delay} if delay else {})}}
    return Panel(
        schema=Schema.from_config({"freq": freq, "columns": columns}),
        series=np.array([f"s{i}" for i in range(num)], dtype=object),
        offsets=np.arange(num + 1) * steps,
        start=np.zeros(num, dtype=np.int64),
        times=times.to_numpy(),
        values=torch.from_numpy(y_NT.reshape(-1, 1)),
        calendar=torch.from_numpy(calendar),
        calendar_names=names,
    )


def noise(num=3, steps=400, seed=0):
    y_NT = np.random.default_rng(seed).gamma(2.0, 10.0, (num, steps)).round()
    y_NT[0, 50:60] = np.nan
    y_NT[1, ::9] = np.nan
    y_NT[2, ::4] = 0.0
    return y_NT


def windows(num, *cutoffs):
    series, times = np.meshgrid(np.arange(num), cutoffs, indexing="ij")
    return WindowIndex(series_W=series.ravel(), cutoff_W=times.ravel())


@pytest.mark.parametrize("delay", [None, "P3D"])
@pytest.mark.parametrize("days", [28, 56, 224])
@pytest.mark.parametrize(
    ("kind", "by_hand"), [(TrailingMedian, np.nanmedian), (TrailingMean, np.nanmean)]
)
def test_trailing_rows_equal_a_loop_over_visible_targets(kind, by_hand, days, delay):
    y_NT, late = noise(), 3 if delay else 0
    panel, at = panel_of(y_NT, delay=delay), windows(3, 100, 233, 389)
    model = kind(windows=SPEC, days=days).fit(panel, until=90)
    for window, point_H in enumerate(model.predict(panel, at=at).point_WH):
        end = at.cutoff_W[window] - late + 1
        level = by_hand(y_NT[at.series_W[window], max(0, end - days) : end])
        np.testing.assert_allclose(point_H, level, rtol=1e-6)
    assert not model.counts


@pytest.mark.parametrize(
    ("freq", "steps"), [("h", 28 * 24), ("6h", 28 * 4), ("W-SUN", 4), ("2D", 14)]
)
def test_days_are_read_in_steps_of_the_panel(freq, steps):
    y_NT = noise(3, 900)
    panel = panel_of(y_NT, freq=freq)
    model = TrailingMedian(windows=SPEC, days=28).fit(panel, until=700)
    point = model.predict(panel, at=windows(3, 800)).point_WH[:, 0]
    np.testing.assert_allclose(point, np.nanmedian(y_NT[:, 801 - steps : 801], axis=1))


@pytest.mark.parametrize("delay", [None, "P9D"])
@pytest.mark.parametrize("seasons", [4, 8])
def test_phase_median_equals_a_loop_over_equal_phases(seasons, delay):
    y_NT, late = noise(), 9 if delay else 0
    panel, at = panel_of(y_NT, delay=delay), windows(3, 100, 233)
    model = PhaseMedian(windows=SPEC, seasons=seasons).fit(panel, until=90)
    for window, point_H in enumerate(model.predict(panel, at=at).point_WH):
        y_T, cutoff = y_NT[at.series_W[window]], at.cutoff_W[window]
        for step, point in enumerate(point_H, start=1):
            phases = [t for t in range(cutoff + step, -1, -7) if t <= cutoff - late][:seasons]
            assert point == pytest.approx(np.nanmedian(y_T[phases]))


def test_phase_median_follows_the_frequency_unless_set():
    hour_NT = np.tile(np.arange(24.0), (1, 20))
    panel = panel_of(hour_NT, freq="h")
    for season, exact in ((None, True), (24, True), (7, False)):
        model = PhaseMedian(windows=SPEC, season=season).fit(panel, until=400)
        point_H = model.predict(panel, at=windows(1, 447)).point_WH[0]
        assert np.array_equal(point_H, (448 + np.arange(10)) % 24) == exact


def test_every_fallback_is_counted():
    y_NT = np.full((2, 200), np.nan)
    y_NT[0, 150] = 4.0
    panel, at = panel_of(y_NT), windows(2, 160)
    short = TrailingMedian(windows=SPEC, days=5)
    short._pool = TrailingMedian(windows=SPEC).fit(panel_of(noise()), until=90).pool
    assert short.point(panel, at)[:, 0].tolist() == [4.0, 0.0]
    assert short.counts == {"older_values": 1, "no_history": 1}
    phases = PhaseMedian(windows=SPEC, season=7)
    assert phases.point(panel, at)[:, 0].tolist() == [4.0, 0.0]
    assert phases.counts == {"other_phases": 9, "no_history": 10}  # step 4 has the phase itself


def test_medians_equal_numpys_and_half_of_the_weight():
    y_WT = noise(3, 31)
    np.testing.assert_array_equal(row_medians(y_WT), np.nanmedian(y_WT, axis=1))
    assert np.isnan(row_medians(np.full((1, 4), np.nan))).all()
    assert weighted_medians(np.array([[5.0, 1.0, 9.0]]), np.array([1.0, 1.0, 3.0])) == [9.0]
    assert weighted_medians(np.array([[5.0, 1.0, np.nan]]), np.array([1.0, 2.0, 9.0])) == [1.0]
    assert np.isnan(weighted_medians(np.full((1, 3), np.nan), np.ones(3))).all()


PEAK = {"peak": ["11-11"], "fest": ["2021-02-12", "2022-02-01", "2023-01-22"]}


def with_events(*, first="2021-01-01", steps=780, **factors):
    """Flat series; ``factors``: date -> what that day is of the level."""
    times = pd.date_range(first, periods=steps, freq="D")
    y_NT = np.array([[10.0], [30.0], [0.0]]) * np.ones((3, steps))
    for date, factor in factors.items():
        y_NT[:, times == pd.Timestamp(date.replace("_", "-").strip("d"))] *= factor
    return y_NT, times


@pytest.mark.parametrize(
    ("cutoff", "day", "past"),
    [
        ("2022-11-05", "2022-11-11", "2021-11-11"),  # the same date
        ("2022-11-05", "2022-11-09", "2021-11-09"),  # two days before
        ("2022-11-05", "2022-11-15", "2021-11-15"),  # four days after
        ("2022-01-28", "2022-02-01", "2021-02-12"),  # a feast that moves
        ("2022-01-28", "2022-02-03", "2021-02-14"),
    ],
)
def test_named_days_and_neighbours_take_the_factor_of_their_past_shrunk(cutoff, day, past):
    y_NT, times = with_events(**{f"d{past.replace('-', '_')}": 3.0})
    panel = panel_of(y_NT, days=PEAK)
    at = windows(3, int(times.get_loc(pd.Timestamp(cutoff))))
    model = EventMedian(windows=SPEC).fit(panel, until=40)
    point_WH = model.predict(panel, at=at).point_WH
    step = (pd.Timestamp(day) - pd.Timestamp(cutoff)).days - 1
    expected_WH = np.array([[10.0], [30.0], [0.0]]) * np.ones((3, 10))
    expected_WH[:, step] *= 1 + 0.7 * 2.0
    np.testing.assert_allclose(point_WH, expected_WH, rtol=1e-6)
    assert not model.counts


def test_factor_is_one_and_counted_without_a_past_year():
    y_NT, times = with_events()
    panel = panel_of(y_NT, days=PEAK)
    at = windows(3, int(times.get_loc(pd.Timestamp("2021-11-05"))))
    model = EventMedian(windows=SPEC).fit(panel, until=40)
    assert np.array_equal(model.predict(panel, at=at).point_WH[:, 5], [10.0, 30.0, 0.0])
    assert model.counts == {"no_past_year": 3 * 7}  # -2 .. +4 of each window


def test_factor_waits_until_the_past_day_was_known():
    """A year of delay: at the cutoff the last occurrence is not told yet, the one before is."""
    y_NT, times = with_events(steps=1100, d2021_11_11=3.0, d2022_11_11=9.0)
    at = windows(3, int(times.get_loc(pd.Timestamp("2023-11-05"))))
    point = {}
    for delay in (None, "P360D"):
        panel = panel_of(y_NT, days=PEAK, delay=delay)
        spec = replace(SPEC, context=400)
        model = EventMedian(windows=spec).fit(panel, until=900)
        point[delay] = model.predict(panel, at=at).point_WH[0, 5]
    assert point[None] == pytest.approx(10 * (1 + 0.7 * 5.0))
    assert point["P360D"] == pytest.approx(10 * (1 + 0.7 * 2.0))


def test_event_median_reads_hours_by_their_day():
    times = pd.date_range("2021-10-01", periods=24 * 410, freq="h")
    y_T = np.where(times.normalize() == pd.Timestamp("2021-11-11"), 30.0, 10.0)
    panel = panel_of(y_T[None], freq="h", first="2021-10-01", days=PEAK, ahead=200)
    at = windows(1, int(times.get_loc(pd.Timestamp("2022-11-10 18:00"))))
    model = EventMedian(windows=SPEC).fit(panel, until=300)
    expected = [10.0] * 5 + [24.0] * 5
    assert model.predict(panel, at=at).point_WH[0].tolist() == pytest.approx(expected)


def test_series_born_later_and_values_after_the_cutoff_move_no_factor():
    y_NT, times = with_events(d2021_11_11=3.0)
    cutoff = int(times.get_loc(pd.Timestamp("2022-11-05")))
    born_NT = np.vstack([y_NT, np.full((1, y_NT.shape[1]), np.nan)])
    born_NT[3, cutoff + 1 :] = 1e6
    born_NT[0, cutoff + 1 :] = 1e6
    points = [
        EventMedian(windows=SPEC)
        .fit(panel_of(y, days=PEAK), until=cutoff)
        .predict(panel_of(y, days=PEAK), at=windows(3, cutoff), quantiles=[0.1, 0.9])
        for y in (y_NT, born_NT)
    ]
    assert np.array_equal(points[0].point_WH, points[1].point_WH)
    assert np.array_equal(points[0].quantiles_WHQ, points[1].quantiles_WHQ)


@pytest.mark.parametrize("model", [TrailingMedian, TrailingMean, PhaseMedian, EventMedian])
def test_plain_rows_keep_the_contract(model):
    check_forecaster(model)


@pytest.mark.parametrize(
    ("model", "options", "key"),
    [
        (TrailingMedian, {"days": 0}, "days"),
        (PhaseMedian, {"seasons": 0}, "seasons"),
        (PhaseMedian, {"season": 0}, "season"),
        (EventMedian, {"half_life": 0}, "half_life"),
        (EventMedian, {"shrink": 1.2}, "shrink"),
    ],
)
def test_options_without_a_meaning_are_refused(model, options, key):
    with pytest.raises(ConfigError, match=rf"model\.{key}"):
        model(windows=SPEC, **options)


@pytest.mark.parametrize(
    "freq",
    ["D", "1D", "h", "2h", "15min", "10min", "30min", "W", "W-SUN", "W-TUE", "2W", "2D", "1h30min"],
)
def test_usual_season_agrees_with_the_length_of_a_step(freq):
    length, day = step_length(freq), pd.Timedelta(days=1)
    usual = int(day // length) if length < day else {day: 7, 7 * day: 52}.get(length, 1)
    assert usual_season(freq) == usual


def test_usual_seasons_are_these():
    usual = {"h": 24, "D": 7, "W-SUN": 52, "15min": 96, "MS": 1, "nonsense": 1, "0D": 1}
    assert {freq: usual_season(freq) for freq in usual} == usual
