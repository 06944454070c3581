"""Reconciled forecasters: what adds up, what is joint, what stays as it was."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lanecast.audits.perturbed_panels import poisoned
from lanecast.data.hierarchy import Structure
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.hierarchy.forecaster import PastPlan, PathPlan, ReconciledForecaster
from lanecast.models.hierarchy.projection import METHODS

SPEC = WindowSpec(context=28, horizon=7, min_context=7)
UNTIL, CUTOFFS = 200, (200, 207)
LEVELS = (0.1, 0.5, 0.9)
STRUCTURE = Structure(levels=[[], ["origin"]])


def network(*, steps: int = 260, delay: str | None = None) -> Panel:
    """Eight lanes from two origins, whose noise is mostly shared within an origin."""
    rng = np.random.default_rng(0)
    week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(steps) / 7)
    shared = rng.standard_normal((2, steps)).repeat(4, axis=0)
    noise = 0.9 * shared + 0.4 * rng.standard_normal((8, steps))
    y = np.linspace(40, 90, 8)[:, None] * week * (1 + 0.1 * noise)
    target = {"role": "target", "non_negative": True, **({"delay": delay} if delay else {})}
    return Panel(
        schema=Schema.from_config({"freq": "D", "columns": {"y": target}}),
        series=np.array([f"lane{number}" for number in range(8)], dtype=object),
        offsets=np.arange(9, dtype=np.int64) * steps,
        start=np.zeros(8, dtype=np.int64),
        times=pd.date_range("2023-01-01", periods=steps + 64).to_numpy("datetime64[ns]"),
        values=torch.from_numpy(y.reshape(-1, 1)).float(),
        calendar=torch.zeros(steps + 64, 0),
        attributes={"origin": np.array(["A"] * 4 + ["B"] * 4, dtype=object)},
    )


def naive():
    return SeasonalNaive(windows=SPEC, season=7, name="seasonal_naive")


def reconciled(method="wls_var", **options):
    past = PastPlan(steps=84, stride=3)
    options = {
        "structure": STRUCTURE,
        "past": past,
        "windows": SPEC,
        "paths": PathPlan(),
        **options,
    }
    return ReconciledForecaster(inner=naive(), upper=naive(), method=method, **options)


@pytest.fixture(scope="module")
def lanes():
    return network()


@pytest.fixture(scope="module")
def at(lanes):
    return windows_at(lanes, CUTOFFS, SPEC)


def forecast(model, panel, at, **options):
    return model.predict(panel, at=at, quantiles=LEVELS, samples=60, **options)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers_every_window(method, lanes, at):
    if method == "erm":  # as many past steps as nodes, at least
        assert len(STRUCTURE.of(lanes).names) <= 11
    found = forecast(reconciled(method).fit(lanes, until=UNTIL), lanes, at)
    assert found.point_WH.shape == (16, 7)
    assert np.isfinite(found.quantiles_WHQ).all()
    assert (np.diff(found.quantiles_WHQ, axis=-1) >= 0).all()
    assert found.samples_SWH.shape == (60, 16, 7)
    assert found.samples_SWH.min() >= 0


def test_bottom_up_leaves_the_lanes_as_the_model_gives_them(lanes, at):
    alone = naive().fit(lanes, until=UNTIL).predict(lanes, at=at, quantiles=LEVELS)
    found = reconciled("bottom_up").fit(lanes, until=UNTIL).predict(lanes, at=at, quantiles=LEVELS)
    np.testing.assert_array_equal(found.point_WH, alone.point_WH)
    np.testing.assert_allclose(found.quantiles_WHQ, alone.quantiles_WHQ, rtol=0.05)


def test_top_down_keeps_the_forecast_of_the_network(lanes, at):
    model = reconciled("top_down").fit(lanes, until=UNTIL)
    found = model.predict(lanes, at=at)
    total = np.array([found.point_WH[at.cutoff_W == cutoff].sum(axis=0) for cutoff in CUTOFFS])
    from lanecast.data.nodes import node_panel

    nodes = node_panel(lanes, STRUCTURE.of(lanes))
    above = model.upper.predict(nodes, at=windows_at(nodes, CUTOFFS, SPEC))
    np.testing.assert_allclose(total, above.point_WH[above.index.series_W == 0], rtol=1e-5)


@pytest.mark.parametrize("kind", ["copula", "errors"])
def test_paths_of_one_origin_move_together_and_widen_its_sum(kind, lanes, at):
    model = reconciled("wls_struct", paths=PathPlan(kind=kind)).fit(lanes, until=UNTIL)
    paths = model.predict(lanes, at=at[np.arange(8)], samples=400).samples_SWH
    together = np.corrcoef(paths[:, :, 2].T)
    assert together[0, 1] > 0.5
    assert abs(together[0, 6]) < 0.4
    alone = np.sqrt((paths[:, :4].std(axis=0) ** 2).sum(axis=0))
    assert (paths[:, :4].sum(axis=1).std(axis=0) > 1.3 * alone).all()


def test_a_silent_lane_is_left_out_of_the_sums(lanes):
    ended = lanes.select(range(8))
    values = ended.values.clone()
    values[ended.offsets[7] + 150 : ended.offsets[8]] = np.nan
    ended = replace(ended, values=values)
    at = windows_at(ended, [UNTIL], SPEC)
    assert 7 not in at.series_W
    model = reconciled("wls_struct").fit(ended, until=140)
    assert np.isfinite(forecast(model, ended, at).quantiles_WHQ).all()


def test_a_lane_that_was_not_there_at_the_fit_is_forecast(lanes):
    model = reconciled("mint_shrink").fit(lanes.select(range(7)), until=UNTIL)
    found = forecast(model, lanes, windows_at(lanes, [UNTIL], SPEC))
    assert np.isfinite(found.quantiles_WHQ).all()


def test_an_answer_does_not_depend_on_which_windows_are_asked_beside_it(lanes, at):
    model = reconciled("mint_shrink").fit(lanes, until=UNTIL)
    every, some = forecast(model, lanes, at), forecast(model, lanes, at[np.array([11, 3])])
    np.testing.assert_array_equal(some.quantiles_WHQ, every.quantiles_WHQ[[11, 3]])
    np.testing.assert_array_equal(some.samples_SWH, every.samples_SWH[:, [11, 3]])


@pytest.mark.parametrize("method", ["mint_shrink", "top_down"])
def test_a_reconciled_forecast_ignores_everything_after_the_cutoff(method):
    late = network(delay="P2D")
    at = windows_at(late, [UNTIL], SPEC)
    base, after, twin = (
        forecast(reconciled(method).fit(panel, until=UNTIL), panel, at)
        for panel in (late, *(poisoned(late, UNTIL, visible=seen) for seen in (False, True)))
    )
    np.testing.assert_array_equal(base.quantiles_WHQ, after.quantiles_WHQ)
    np.testing.assert_array_equal(base.samples_SWH, after.samples_SWH)
    assert not np.array_equal(base.quantiles_WHQ, twin.quantiles_WHQ)


def test_save_and_load_give_the_same_forecast(lanes, at, tmp_path):
    model = reconciled("mint_shrink").fit(lanes, until=UNTIL)
    model.save(tmp_path)
    again = reconciled("mint_shrink").load(tmp_path)
    assert again.fitted_until == UNTIL
    one, two = forecast(model, lanes, at), forecast(again, lanes, at)
    np.testing.assert_array_equal(one.quantiles_WHQ, two.quantiles_WHQ)


def test_a_model_saved_without_a_hierarchy_is_refused(lanes, tmp_path):
    naive().fit(lanes, until=UNTIL).save(tmp_path)
    with pytest.raises(CheckpointError, match="hierarchy=none"):
        reconciled().load(tmp_path)


def test_a_bottom_up_model_cannot_be_taken_up_by_a_method_with_nodes(lanes, tmp_path):
    reconciled("bottom_up").fit(lanes, until=UNTIL).save(tmp_path)
    with pytest.raises(CheckpointError, match="has no forecasts of the nodes"):
        reconciled("ols").load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "best"}, "does not exist"),
        ({"past": PastPlan(steps=7)}, "holds no whole horizon"),
        ({"blocks": [3]}, "does not divide"),
    ],
)
def test_options_without_meaning_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        reconciled(**options)


@pytest.mark.parametrize(
    ("options", "message"), [({"draws": 3}, "too few for quantiles"), ({"kind": "best"}, "copula")]
)
def test_paths_without_meaning_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PathPlan(**options)


def test_centered_errors_have_no_mean(lanes, at):
    found = [
        reconciled("bottom_up", paths=PathPlan(kind="errors", center=center))
        .fit(lanes, until=UNTIL)
        .predict(lanes, at=at, samples=2000)
        for center in (False, True)
    ]
    bias = [abs((x.samples_SWH.mean(axis=0) - x.point_WH) / x.point_WH).max() for x in found]
    assert bias[1] < 0.02 < bias[0]


def test_a_past_without_a_whole_known_horizon_is_refused():
    late = network(delay="P6D")
    with pytest.raises(ConfigError, match="leaves no origin"):
        reconciled(past=PastPlan(steps=10)).fit(late, until=UNTIL)
