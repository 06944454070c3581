from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError, LeakageError, SchemaError
from lanecast.models.classical.naive import KnownColumn, SeasonalNaive

SPEC = WindowSpec(context=28, horizon=10, min_context=1)


def with_column(panel, name: str, **changes):
    """The panel with one column declared differently."""
    columns = {key: replace(column) for key, column in panel.schema.columns.items()}
    columns[name] = replace(columns[name], **changes)
    return replace(panel, schema=Schema(freq=panel.schema.freq, columns=columns))


def window(series: int, cutoff: int) -> WindowIndex:
    return WindowIndex(series_W=np.array([series]), cutoff_W=np.array([cutoff]))


def target(panel, series: int) -> np.ndarray:
    return panel.column("y").numpy()[panel.offsets[series] : panel.offsets[series + 1]]


def test_seasonal_naive_repeats_the_last_season(panel):
    model = SeasonalNaive(windows=SPEC, season=7).fit(panel, until=90)
    found = model.predict(panel, at=window(0, 100))
    y = target(panel, 0)
    assert found.point_WH[0].tolist() == [*y[94:101], *y[94:97]]
    assert not model.counts


def test_seasonal_naive_waits_for_a_delayed_target(panel):
    late = with_column(panel, "y", delay="P3D")
    found = (
        SeasonalNaive(windows=SPEC, season=7).fit(late, until=90).predict(late, at=window(0, 100))
    )
    y = target(panel, 0)
    assert found.point_WH[0].tolist() == [*y[94:98], *y[91:94], *y[94:97]]


def test_seasonal_naive_counts_values_taken_from_older_seasons(panel):
    values = panel.values.clone()
    values[98, 0] = np.nan
    gappy = replace(panel, values=values)
    model = SeasonalNaive(windows=SPEC, season=7).fit(gappy, until=90)
    found = model.predict(gappy, at=window(0, 100))
    assert found.point_WH[0, 4] == target(panel, 0)[91]
    assert model.counts == {"older_season": 1}


def test_seasonal_naive_answers_a_window_without_history_with_zero_and_counts_it(panel):
    model = SeasonalNaive(windows=SPEC, season=7).fit(panel, until=60)
    found = model.predict(panel, at=window(2, 70), quantiles=(0.1, 0.9))
    assert np.all(found.point_WH == 0)
    assert np.isfinite(found.quantiles_WHQ).all()
    assert model.counts == {"no_history": SPEC.horizon}


def test_seasonal_naive_uses_the_mean_for_a_phase_it_never_saw(panel):
    model = SeasonalNaive(windows=SPEC, season=7).fit(panel, until=60)
    found = model.predict(panel, at=window(2, 92))  # this series has begun at step 90
    y = target(panel, 2)[:3]
    assert found.point_WH[0, 4:7].tolist() == y.tolist()
    assert found.point_WH[0, [0, 1, 2, 3, 7, 8, 9]] == pytest.approx(np.full(7, y.mean()))
    assert model.counts == {"context_mean": 7}


def test_seasonal_naive_refuses_a_season_longer_than_the_context():
    with pytest.raises(ConfigError, match=r"model\.season=29 .*windows\.context"):
        SeasonalNaive(windows=SPEC, season=29)


def test_residuals_end_at_until(panel):
    values = panel.values.clone()
    for low, high, start in zip(panel.offsets, panel.offsets[1:], panel.start, strict=False):
        values[low + 91 - start : high, 0] = 1e6
    one, two = (
        SeasonalNaive(windows=SPEC, season=7).fit(data, until=90).pool
        for data in (panel, replace(panel, values=values))
    )
    assert np.array_equal(one.paths_RH, two.paths_RH)
    assert len(one.paths_RH) > 0


def test_prediction_before_the_end_of_the_fit_is_refused(panel):
    model = SeasonalNaive(windows=SPEC, season=7).fit(panel, until=90)
    with pytest.raises(LeakageError, match="seasonal_naive was fitted until 2024-03-31"):
        model.predict(panel, at=windows_at(panel, [89, 95], SPEC))


def test_known_column_is_the_forecast(panel):
    found = KnownColumn(windows=SPEC, column="scheduled").fit(panel, until=90)
    found = found.predict(panel, at=window(1, 95), quantiles=(0.1, 0.5, 0.9))
    cells = panel.column("scheduled").numpy()[panel.offsets[1] + 96 :][:10]
    assert found.point_WH[0] == pytest.approx(cells)
    assert np.array_equal(found.quantiles_WHQ[..., 1], found.point_WH)


def test_known_column_reads_rows_beyond_the_last_target(future_panel):
    model = KnownColumn(windows=SPEC, column="scheduled").fit(future_panel, until=119)
    assert np.isfinite(model.predict(future_panel, at=window(0, 119)).point_WH).all()


def test_known_column_names_series_and_step_where_the_value_is_missing(panel):
    model = KnownColumn(windows=SPEC, column="scheduled").fit(panel, until=90)
    with pytest.raises(SchemaError, match=r"'scheduled' is missing for series 'A>D' at 2024-04-30"):
        model.predict(panel, at=window(2, 115))


def test_known_column_does_not_look_past_its_lead(panel):
    model = KnownColumn(windows=SPEC, column="promo").fit(panel, until=90)
    with pytest.raises(SchemaError, match=r"'promo' is hidden by its lead of 7 steps .*step 8 "):
        model.predict(panel, at=window(0, 95))


def test_known_column_refuses_a_column_that_is_not_known(panel):
    with pytest.raises(SchemaError, match=r"'late', which is not declared known_future"):
        KnownColumn(windows=SPEC, column="late").fit(panel, until=90)


def test_checkpoint_of_another_configuration_is_refused(panel, tmp_path):
    SeasonalNaive(windows=SPEC, season=7).fit(panel, until=90).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"other options \(season\)"):
        SeasonalNaive(windows=SPEC, season=14).load(tmp_path)


def test_checkpoint_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"forecaster\.json does not exist"):
        SeasonalNaive(windows=SPEC, season=7).load(tmp_path)


@pytest.mark.parametrize(("freq", "season"), [("h", 24), ("D", 7), ("15min", 96), ("W-SUN", 52)])
def test_season_follows_the_frequency_and_is_read_past_a_short_context(plain_panel, freq, season):
    wide = replace(plain_panel, schema=Schema(freq=freq, columns=plain_panel.schema.columns))
    model = SeasonalNaive(windows=SPEC).fit(wide, until=90)
    y, point_H = target(plain_panel, 0), model.predict(wide, at=window(0, 105)).point_WH[0]
    assert point_H.tolist() == [
        y[105 + step - (season * (1 + (step - 1) // season))] for step in range(1, 11)
    ]
    set_model = SeasonalNaive(windows=SPEC, season=5).fit(wide, until=90)
    point_H = set_model.predict(wide, at=window(0, 105)).point_WH[0]
    assert point_H.tolist() == [*y[101:106], *y[101:106]]
