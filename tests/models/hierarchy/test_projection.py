"""Coherent forecasts over sites, regions and the network."""

import resource
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lanecast.data.hierarchy import Hierarchy, lane_hierarchy, table_hierarchy
from lanecast.errors import ConfigError, LanecastError
from lanecast.models.hierarchy.projection import METHODS, Past, projection, reconcile


@pytest.fixture
def lanes(panel):
    """Four lanes between two origins and three destinations."""
    ends = {
        "origin": np.array(["A", "A", "B", "B"], dtype=object),
        "dest": np.array(["X", "Y", "X", "Z"], dtype=object),
    }
    return lane_hierarchy(replace(panel, attributes=ends))


@pytest.fixture
def base(lanes):
    """Base forecasts of every node, [M, samples, horizon], that do not add up."""
    return np.random.default_rng(0).uniform(5, 50, (len(lanes.names), 6, 3))


def errors_of(lanes):
    return np.random.default_rng(1).normal(size=(len(lanes.names), 40))


def past_of(lanes, errors=None):
    """Coherent actuals, and forecasts that missed them by ``errors``."""
    actual = lanes.aggregate(np.random.default_rng(3).uniform(5, 50, (lanes.num_bottom, 40)))
    return Past(
        actual_MT=actual, forecast_MT=actual - (errors_of(lanes) if errors is None else errors)
    )


def incoherence(lanes, values):
    """Largest gap between a node and the sum of its series, relative to it."""
    summed = lanes.aggregate(values[-lanes.num_bottom :])
    return float((np.abs(values - summed) / np.maximum(np.abs(summed), 1.0)).max())


def test_a_lane_counts_at_its_origin_at_its_destination_and_in_the_total(lanes):
    summed = dict(zip(lanes.names, lanes.aggregate(np.array([1.0, 2.0, 4.0, 8.0])), strict=True))
    assert summed["total"] == 15.0
    assert summed["origin=A"] == 3.0
    assert summed["dest=X"] == 5.0
    assert list(lanes.levels) == ["total", "origin", "dest", "bottom"]


@pytest.mark.parametrize("method", METHODS)
def test_reconciled_paths_add_up(lanes, base, method):
    assert incoherence(lanes, base) > 0.1
    matrix = projection(lanes, method, past=past_of(lanes))
    found = reconcile(lanes, matrix, base)
    assert found.shape == base.shape
    assert incoherence(lanes, found) < 1e-6


@pytest.mark.parametrize("method", sorted({*METHODS} - {"top_down", "erm", "erm_lasso"}))
def test_what_adds_up_already_is_left_as_it_is(lanes, method):
    coherent = lanes.aggregate(np.random.default_rng(2).uniform(1, 9, (4, 5)))
    matrix = projection(lanes, method, past=past_of(lanes))
    np.testing.assert_allclose(reconcile(lanes, matrix, coherent), coherent, rtol=1e-6)


def test_bottom_up_takes_the_lanes_and_nothing_else(lanes, base):
    found = reconcile(lanes, projection(lanes, "bottom_up"), base)
    np.testing.assert_array_equal(found[-4:], base[-4:])
    np.testing.assert_array_equal(found, lanes.aggregate(base[-4:]))


def test_weighted_least_squares_equals_its_closed_form(lanes, base):
    errors = errors_of(lanes) * np.linspace(1, 3, len(lanes.names))[:, None]
    sums = lanes.sums_MN.toarray()
    weight = np.diag(1 / (errors**2).mean(axis=1))
    expected = sums @ np.linalg.solve(
        sums.T @ weight @ sums, sums.T @ weight @ base.reshape(len(base), -1)
    )
    found = reconcile(lanes, projection(lanes, "wls_var", past=past_of(lanes, errors)), base)
    np.testing.assert_allclose(found.reshape(len(base), -1), expected, rtol=1e-5)


def test_top_down_gives_every_lane_its_past_share_of_the_total(lanes, base):
    past = past_of(lanes)
    found = reconcile(lanes, projection(lanes, "top_down", past=past), base)
    share = past.actual_MT[-4:].mean(axis=1) / past.actual_MT[0].mean()
    np.testing.assert_allclose(found[-4:], share[:, None, None] * base[0])


def test_top_down_without_a_total_is_refused(panel):
    ends = {"origin": np.array(["A", "A", "B", "B"], dtype=object)}
    lanes = lane_hierarchy(replace(panel, attributes=ends), [("origin",)])
    with pytest.raises(ConfigError, match="put the total first"):
        projection(lanes, "top_down", past=past_of(lanes))


def test_erm_undoes_a_bias_of_the_past(lanes):
    past = past_of(lanes)
    halved = Past(actual_MT=past.actual_MT, forecast_MT=0.5 * past.actual_MT)
    found = reconcile(lanes, projection(lanes, "erm", past=halved), halved.forecast_MT)
    np.testing.assert_allclose(found, past.actual_MT, rtol=1e-6)


def test_erm_with_less_past_than_nodes_is_refused(lanes):
    past = past_of(lanes)
    short = Past(actual_MT=past.actual_MT[:, :3], forecast_MT=past.forecast_MT[:, :3])
    with pytest.raises(ConfigError, match=r"3 past steps.*mint_shrink"):
        projection(lanes, "erm", past=short)


def test_what_is_left_of_a_hierarchy_drops_empty_nodes(lanes):
    left, kept = lanes.kept(np.array([True, True, False, False]))
    assert left.names == ("total", "origin=A", "dest=X", "dest=Y", *lanes.names[-4:-2])
    assert kept.sum() == len(left.names)
    assert list(left.levels["dest"]) == [2, 3]


def test_a_summing_matrix_may_list_its_series_in_any_order(panel):
    names = [str(name) for name in panel.series]
    rows = {"all": [1, 1, 1, 1], "left": [1, 1, 0, 0], "right": [0, 0, 1, 1]}
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=names)[names[::-1]]
    found = table_hierarchy(frame.rename_axis("node").reset_index(), panel)
    assert found.names == ("all", "left", "right", *names)
    np.testing.assert_array_equal(found.aggregate(np.array([1, 2, 4, 8]))[:3], [15, 3, 12])
    assert {name: list(rows) for name, rows in found.levels.items()} == {
        "level_1": [0],
        "level_2": [1, 2],
        "bottom": [3, 4, 5, 6],
    }


def test_bottom_rows_name_the_series_whatever_the_columns_are_called(panel):
    names = [str(name) for name in panel.series]
    rows = [[1, 1, 0, 0], [0, 0, 1, 1], *np.identity(4).tolist()]
    frame = pd.DataFrame(rows, columns=[f"column {at}" for at in range(4)])
    frame.insert(0, "node", ["left", "right", *names[::-1]])
    found = table_hierarchy(frame, panel)
    np.testing.assert_array_equal(found.aggregate(np.array([1, 2, 4, 8]))[:2], [12, 3])


def test_a_summing_matrix_without_a_series_is_refused(panel):
    frame = pd.DataFrame({"node": ["all"], **{str(name): [1] for name in panel.series[1:]}})
    with pytest.raises(ConfigError, match=f"no bottom series '{panel.series[0]}'"):
        table_hierarchy(frame, panel)


def test_a_level_without_its_column_is_refused(panel):
    with pytest.raises(ConfigError, match=r"needs the static column 'region'.*role static"):
        lane_hierarchy(panel, [("region",)])


def test_a_matrix_that_is_no_hierarchy_is_refused():
    eye = sparse.identity(2, format="csr")
    with pytest.raises(ConfigError, match="must be the bottom series"):
        Hierarchy(names=("a", "b"), sums_MN=eye[::-1], levels={"bottom": np.arange(2)})
    with pytest.raises(ConfigError, match="'a' belongs to 0 levels"):
        Hierarchy(names=("a", "b"), sums_MN=eye, levels={"bottom": np.array([1])})


def test_forecasts_of_too_few_nodes_are_refused(lanes, base):
    with pytest.raises(LanecastError, match="forecast every node"):
        reconcile(lanes, projection(lanes, "ols"), base[1:])


def test_errors_that_are_missing_or_not_finite_are_refused(lanes):
    with pytest.raises(ConfigError, match="needs past values"):
        projection(lanes, "mint_shrink")
    errors = errors_of(lanes)
    errors[3, 0] = np.nan
    with pytest.raises(LanecastError, match=f"node '{lanes.names[3]}' are not finite"):
        projection(lanes, "wls_var", past=past_of(lanes, errors))


@pytest.mark.slow
def test_50_000_lanes_are_reconciled_in_bounded_memory(panel):
    rng = np.random.default_rng(0)
    num = 50_000
    ends = {name: rng.integers(0, 250, num).astype(str) for name in ("origin", "dest")}
    many = replace(
        panel,
        series=np.array([f"lane{k}" for k in range(num)], dtype=object),
        offsets=np.zeros(num + 1, dtype=np.int64),
        start=np.zeros(num, dtype=np.int64),
        attributes=ends,
    )
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    lanes = lane_hierarchy(many)
    base = rng.uniform(1, 9, (len(lanes.names), 14))
    found = reconcile(lanes, projection(lanes, "wls_struct"), base)
    seconds = time.perf_counter() - started
    extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"50,000 lanes, {len(lanes.names)} nodes, 14 steps: {seconds:.1f} s, {extra:.0f} MB more")
    assert incoherence(lanes, found) < 1e-6
    assert extra < 500
