import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from lanecast.data.forecasts import Forecasts
from lanecast.data.labels import labels
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import ConfigError, LanecastError
from lanecast.evaluation import metrics, score
from lanecast.evaluation.history import seasonal_scale
from lanecast.evaluation.score import evaluate, scored_hash
from lanecast.evaluation.slices import size_slice

CUTOFFS = (80, 94, 110)


@pytest.fixture
def scored(panel, spec, forecast):
    """Forecasts, their labels and their scores; the last cutoff lacks some labels."""
    made = forecast(panel, CUTOFFS)
    return made, labels(panel, made.index, 14), evaluate(made, panel, spec, season=7)


def test_evaluate_agrees_with_each_metric_alone(panel, scored):
    made, (y, seen), scores = scored
    for name in ("wape", "bias", "mae", "mse", "rmse"):
        assert scores.values[name] == pytest.approx(getattr(metrics, name)(y, seen, made.point_WH))
    scale = seasonal_scale(panel, made.index, 7)
    assert scores.values["mase"] == pytest.approx(metrics.mase(y, seen, made.point_WH, scale))
    quantiles = (y, seen, made.quantiles_WHQ, made.levels)
    assert scores.values["wql"] == pytest.approx(metrics.wql(*quantiles))
    for percent in (80, 90):
        expected = metrics.coverage(*quantiles, percent=percent)
        assert scores.values[f"coverage_{percent}"] == pytest.approx(expected)


def test_evaluate_agrees_with_a_metric_on_each_slice(panel, spec, scored):
    made, (y, seen), scores = scored
    week = (y[:, 7:], seen[:, 7:], made.point_WH[:, 7:])
    assert scores.values["wape/h08-14"] == pytest.approx(metrics.wape(*week))
    scale = seasonal_scale(panel, made.index, 7)
    assert scores.values["mase/h08-14"] == pytest.approx(metrics.mase(*week, scale))
    medium = size_slice(panel, made.index, spec).class_W == 1
    rows = (y[medium], seen[medium], made.point_WH[medium])
    assert scores.values["wape/size_medium"] == pytest.approx(metrics.wape(*rows))
    assert scores.counts["num_cells/size_medium"] == seen[medium].sum()


@pytest.mark.parametrize("few", [0, 10**6])  # all chunks on threads, or none
def test_evaluate_does_not_depend_on_the_chunks(panel, spec, forecast, scored, monkeypatch, few):
    monkeypatch.setattr(score, "CHUNK", 2)
    monkeypatch.setattr(score, "FEW", few)
    again = evaluate(forecast(panel, CUTOFFS), panel, spec, season=7)
    assert again.values == pytest.approx(scored[2].values, nan_ok=True)


def test_evaluate_counts_what_it_could_not_score(panel, scored):
    _, (_, seen), scores = scored
    assert scores.counts["num_unseen_cells"] == (~seen).sum() > 0
    assert math.isnan(scores.values["wape/age_old"])
    assert scores.counts["num_windows/age_old"] == 0
    nans = sum(math.isnan(value) for value in scores.values.values())
    assert scores.counts["num_undefined_metrics"] == nans > 0


def test_windows_of_a_constant_series_have_no_scale_and_are_counted(panel, spec, forecast):
    values = panel.values.clone()
    values[: panel.offsets[1], 0] = 5.0
    constant = replace(panel, values=values)
    scores = evaluate(forecast(constant), constant, spec, season=7)
    assert scores.counts["num_windows_without_scale"] == 2
    assert math.isfinite(scores.values["mase"])


def test_total_is_scored_where_every_series_is_seen(panel, spec, scored):
    made, (y, seen), scores = scored
    error, actual = 0.0, 0.0
    for cutoff in CUTOFFS:
        rows = made.index.cutoff_W == cutoff
        complete = seen[rows].all(axis=0)
        total = y[rows].astype(float).sum(axis=0)[complete]
        error += np.abs(made.point_WH[rows].sum(axis=0)[complete] - total).sum()
        actual += np.abs(total).sum()
    assert scores.values["total/wape"] == pytest.approx(error / actual)
    counts = scores.counts
    assert counts["num_cells/total"] + counts["num_incomplete_cells/total"] == 3 * 14
    assert counts["num_incomplete_cells/total"] == 5


def test_rows_by_cutoff_pool_to_the_overall_wape(panel, scored):
    _, _, scores = scored
    rows = scores.by_cutoff
    assert [row["cutoff"] for row in rows] == [panel.time_of(c).isoformat() for c in CUTOFFS]
    pooled = sum(row["sum_abs_error"] for row in rows) / sum(row["sum_abs_y"] for row in rows)
    assert pooled == pytest.approx(scores.values["wape"])
    assert sum(row["num_windows"] for row in rows) == scores.counts["num_windows"]


def test_point_forecasts_have_no_quantile_metrics(panel, spec, forecast):
    made = forecast(panel)
    point = Forecasts(index=made.index, point_WH=made.point_WH)
    scores = evaluate(point, panel, spec, season=7)
    assert "wape" in scores.values
    assert not {"wql", "coverage_80", "width_90"} & set(scores.values)


def test_slices_can_be_chosen_and_a_typo_is_named(panel, spec, forecast):
    made = forecast(panel)
    scores = evaluate(made, panel, spec, season=7, slices=["age"])
    assert "wape/age_young" in scores.values
    assert "wape/h01-07" not in scores.values
    with pytest.raises(ConfigError, match="'sizes' does not exist; did you mean 'size'"):
        evaluate(made, panel, spec, season=7, slices=["sizes"])


def test_a_forecast_that_is_not_finite_is_refused_with_its_place(panel, spec, forecast):
    made = forecast(panel)
    made.point_WH[1, 4] = np.nan
    with pytest.raises(LanecastError, match=r"'A>C' at cutoff 2024-03-21.*step 5"):
        evaluate(made, panel, spec, season=7)


def test_a_forecast_of_another_shape_is_refused(panel, forecast):
    with pytest.raises(LanecastError, match="point_WH has shape"):
        evaluate(forecast(panel), panel, WindowSpec(context=28, horizon=7), season=7)


def test_no_window_to_score_is_refused(panel, spec):
    empty = Forecasts(index=windows_at(panel, [], spec), point_WH=np.zeros((0, 14)))
    with pytest.raises(LanecastError, match="no window to score"):
        evaluate(empty, panel, spec, season=7)


def test_the_record_is_strict_json(scored):
    record = scored[2].to_record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["scores"]["wape/age_old"] is None


def test_evaluating_30000_windows_with_11_quantiles_takes_less_than_a_second(plain_panel, spec):
    rng = np.random.default_rng(0)
    big = replace(
        plain_panel,
        series=np.array([f"s{number}" for number in range(3000)], dtype=object),
        offsets=np.arange(3001) * 150,
        start=np.zeros(3000, dtype=np.int64),
        values=torch.from_numpy(rng.random((3000 * 150, 1), dtype=np.float32)),
    )
    index = windows_at(big, range(60, 130, 7), spec)
    quantiles = np.sort(rng.random((len(index), 14, 11), dtype=np.float32), axis=-1)
    made = Forecasts(
        index=index,
        point_WH=quantiles[..., 5],
        levels=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
        quantiles_WHQ=quantiles,
    )
    begin = time.process_time()
    scores = evaluate(made, big, spec, season=7)
    assert time.process_time() - begin < 1.0
    assert scores.counts["num_windows"] == 30_000


def hash_of(panel, spec, cutoffs=CUTOFFS, rows=slice(None)):
    index = windows_at(panel, cutoffs, spec)[rows]
    return scored_hash(panel, index, *labels(panel, index, spec.horizon))


def test_scored_hash_ignores_roles_columns_and_order(panel, plain_panel, spec):
    whole = hash_of(panel, spec)
    assert hash_of(plain_panel, spec) != hash_of(panel, spec, cutoffs=(80, 94))
    schema = replace(
        panel.schema,
        columns={
            **panel.schema.columns,
            "scheduled": replace(panel.schema.columns["scheduled"], role="observed"),
        },
    )
    assert hash_of(replace(panel, schema=schema, values=panel.values), spec) == whole
    backwards = np.arange(len(windows_at(panel, CUTOFFS, spec)))[::-1]
    assert hash_of(panel, spec, rows=backwards) == whole
    turned = panel.select([3, 1, 0, 2])
    assert hash_of(turned, spec) == whole


def test_scored_hash_tells_labels_series_and_cutoffs_apart(panel, spec):
    values = panel.values.clone()
    values[100, 0] += 1  # a step that is scored, of the first series
    found = {
        hash_of(panel, spec),
        hash_of(replace(panel, values=values), spec),
        hash_of(panel.select([0, 1, 2]), spec),
        hash_of(panel, spec, cutoffs=(80, 94)),
        hash_of(panel, WindowSpec(context=28, horizon=7, min_context=7)),
    }
    assert len(found) == 5
