from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from lanecast.data.windows import windows_at
from lanecast.evaluation import history
from lanecast.evaluation.history import age, mean_volume, seasonal_scale
from lanecast.evaluation.metrics import mase

CUTOFFS = (80, 94, 105)


def long_form(panel):
    """The panel as a table, rows without a target kept as NaN."""
    sizes = np.diff(panel.offsets)
    within = np.arange(panel.num_cells) - np.repeat(panel.offsets[:-1], sizes)
    steps = np.repeat(panel.start, sizes) + within
    return pd.DataFrame(
        {
            "unique_id": np.repeat(panel.series, sizes),
            "step": steps,
            "ds": panel.times[steps],
            "y": panel.column("y").numpy().astype(float),
        }
    )


def test_seasonal_scale_equals_a_loop_over_series(panel, spec):
    table = long_form(panel)
    index = windows_at(panel, CUTOFFS, spec)
    expected = []
    for series, cutoff in zip(index.series_W, index.cutoff_W, strict=True):
        known = table[(table.unique_id == panel.series[series]) & (table.step <= cutoff)]
        expected.append(known.y.diff(7).abs().mean())
    np.testing.assert_allclose(seasonal_scale(panel, index, 7), expected, rtol=1e-12)


@pytest.mark.parametrize("block", [1, 7, 50])
def test_seasonal_scale_does_not_depend_on_the_block_size(panel, spec, monkeypatch, block):
    index = windows_at(panel, CUTOFFS, spec)
    whole = seasonal_scale(panel, index, 7)
    monkeypatch.setattr(history, "BLOCK", block)
    np.testing.assert_allclose(seasonal_scale(panel, index, 7), whole, rtol=1e-12)


def test_seasonal_scale_is_nan_without_a_pair_and_zero_for_a_constant(panel, spec):
    index = windows_at(panel, CUTOFFS, spec)
    assert np.isnan(seasonal_scale(panel, index, 500)).all()
    constant = replace(panel, values=panel.values * 0 + 3)
    scale = seasonal_scale(constant, index, 7)
    assert set(scale[np.isfinite(scale)]) == {0.0}


def test_mase_equals_utilsforecast_window_by_window(make_panel, spec, forecast):
    panel = make_panel(covariates=False, lengths=(120, 110, 120))
    made = forecast(panel, CUTOFFS)
    table = long_form(panel)
    rows = []
    for at, (series, cutoff) in enumerate(
        zip(made.index.series_W, made.index.cutoff_W, strict=True)
    ):
        steps = np.arange(cutoff + 1, cutoff + 15)
        known = {"unique_id": panel.series[series], "cutoff": panel.times[cutoff]}
        rows.append(pd.DataFrame({**known, "step": steps, "m": made.point_WH[at]}))
    answered = pd.concat(rows).merge(table, on=["unique_id", "step"])
    theirs = losses.mase(
        answered, models=["m"], seasonality=7, train_df=table[["unique_id", "ds", "y"]]
    )
    y_WH = answered.y.to_numpy().reshape(-1, 14)
    scale_W = seasonal_scale(panel, made.index, 7)
    ours = mase(y_WH, np.ones_like(y_WH, dtype=bool), made.point_WH, scale_W)
    assert ours == pytest.approx(theirs["m"].mean(), rel=1e-9)


@pytest.mark.parametrize(
    "read", [lambda p, i: seasonal_scale(p, i, 7), lambda p, i: mean_volume(p, i, 28)]
)
def test_history_ignores_targets_after_the_cutoff_and_reads_those_before(panel, spec, read):
    index = windows_at(panel, [80], spec)
    values = panel.values.clone()
    for series in range(panel.num_series):
        values[panel.offsets[series] + 81 - panel.start[series] : panel.offsets[series + 1], 0] = (
            1e6
        )
    poisoned = replace(panel, values=values)
    np.testing.assert_array_equal(read(poisoned, index), read(panel, index))
    assert (read(poisoned, windows_at(panel, [90], spec)) > 100).any()


def test_history_respects_the_delay_of_the_target(make_panel, spec):
    panel = make_panel(covariates=False)
    schema = replace(panel.schema, columns={"y": replace(panel.schema.columns["y"], delay="P3D")})
    delayed = replace(panel, schema=schema)
    late, early = windows_at(panel, [83], spec), windows_at(panel, [80], spec)
    np.testing.assert_array_equal(seasonal_scale(delayed, late, 7), seasonal_scale(panel, early, 7))


def test_age_counts_from_the_first_row_up_to_the_cutoff(panel, spec):
    index = windows_at(panel, [110], spec)
    assert dict(zip(index.series_W, age(panel, index), strict=True)) == {
        0: 111,
        1: 111,
        2: 21,
        3: 111,
    }
