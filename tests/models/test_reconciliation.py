"""Coherent forecasts over sites, regions and the network."""

import resource
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from lanecast.data.hierarchy import Hierarchy, lane_hierarchy
from lanecast.errors import ConfigError, LanecastError
from lanecast.models.reconciliation import METHODS, coherent_do, projection, reconcile


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


def test_a_lane_counts_at_its_origin_at_its_destination_and_in_the_total(lanes):
    summed = dict(zip(lanes.names, lanes.aggregate(np.array([1.0, 2.0, 4.0, 8.0])), strict=True))
    assert summed["total"] == 15.0
    assert summed["origin=A"] == 3.0
    assert summed["dest=X"] == 5.0
    assert list(lanes.levels) == ["total", "origin", "dest", "bottom"]


@pytest.mark.parametrize("method", METHODS)
def test_reconciled_paths_add_up(lanes, base, method):
    assert lanes.incoherence(base)[0] > 0.1
    matrix = projection(lanes, method, error_MT=errors_of(lanes))
    found = reconcile(lanes, matrix, base)
    assert found.shape == base.shape
    assert lanes.incoherence(found)[0] < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_what_adds_up_already_is_left_as_it_is(lanes, method):
    coherent = lanes.aggregate(np.random.default_rng(2).uniform(1, 9, (4, 5)))
    matrix = projection(lanes, method, error_MT=errors_of(lanes))
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
    found = reconcile(lanes, projection(lanes, "wls_var", error_MT=errors), base)
    np.testing.assert_allclose(found.reshape(len(base), -1), expected, rtol=1e-5)


def test_an_action_moves_the_sums_above_it_and_no_other_bit(lanes, base):
    matrix = projection(lanes, "ols")
    effect = np.zeros((4, *base.shape[1:]))
    effect[1] = 3.0  # the lane from A to Y
    before, after = reconcile(lanes, matrix, base), coherent_do(lanes, matrix, base, effect)
    moved = {lanes.names[at] for at in np.flatnonzero((after != before).any(axis=(1, 2)))}
    assert moved == {"total", "origin=A", "dest=Y", lanes.names[-3]}
    assert lanes.incoherence(after)[0] < 1e-6


def test_incoherence_names_the_node(lanes):
    values = lanes.aggregate(np.ones((4, 2)))
    values[2] *= 1.5
    assert lanes.incoherence(values) == (pytest.approx(0.5), lanes.names[2])


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
    with pytest.raises(ConfigError, match="needs the errors"):
        projection(lanes, "mint_shrink")
    errors = errors_of(lanes)
    errors[3, 0] = np.nan
    with pytest.raises(LanecastError, match=f"node '{lanes.names[3]}' are not finite"):
        projection(lanes, "wls_var", error_MT=errors)


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
    assert lanes.incoherence(found)[0] < 1e-6
    assert extra < 500
