"""Scores by level: sums of lanes against sums of forecasts."""

from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.forecasts import Forecasts
from lanecast.data.hierarchy import lane_hierarchy
from lanecast.data.labels import labels
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.evaluation.levels import level_lines, level_scores

SPEC = WindowSpec(context=28, horizon=7, min_context=7)
GRID = tuple(np.arange(1, 100) / 100)


@pytest.fixture(scope="module")
def lanes(panel):
    ends = {"origin": np.array(["A", "A", "B", "B"], dtype=object)}
    return replace(panel, attributes=ends)


@pytest.fixture(scope="module")
def asked(lanes):
    at = windows_at(lanes, [100, 107], SPEC)
    y_WH, _ = labels(lanes, at, SPEC.horizon)
    noise = np.random.default_rng(0).normal(0, 3, (200, *y_WH.shape))
    return Forecasts(
        index=at,
        point_WH=y_WH + 2.0,
        levels=GRID,
        quantiles_WHQ=np.repeat(y_WH[..., None], len(GRID), axis=-1),
        samples_SWH=(y_WH + noise).astype(np.float32),
    )


def scores(lanes, found):
    return level_scores(found, lanes, lane_hierarchy(lanes, [[], ["origin"]]))


def test_a_node_is_judged_by_its_sum(lanes, asked):
    y_WH, _ = labels(lanes, asked.index, SPEC.horizon)
    told = scores(lanes, asked)
    assert told["level/bottom/wape"] == pytest.approx(2 * y_WH.size / y_WH.sum())
    # Four lanes, each 2 too high: 8 too high at each of the 14 steps of the total.
    assert told["level/total/wape"] == pytest.approx(8 * 14 / y_WH.sum(), rel=1e-6)
    assert told["level/total/bias"] > 0


def test_errors_that_cancel_are_no_errors_of_the_sum(lanes, asked):
    against = np.where(asked.index.series_W % 2, 2.0, -2.0)[:, None]
    y_WH, _ = labels(lanes, asked.index, SPEC.horizon)
    told = scores(lanes, replace(asked, point_WH=y_WH + against))
    assert told["level/origin/wape"] == pytest.approx(0, abs=1e-6)
    assert told["level/bottom/wape"] > 0


def test_the_pooled_wql_is_the_scaled_crps_over_all_nodes(lanes, asked):
    told = 0.0, 0.0
    hierarchy = lane_hierarchy(lanes, [[], ["origin"]])
    for cutoff in (100, 107):
        rows = np.flatnonzero(asked.index.cutoff_W == cutoff)
        y_WH, _ = labels(lanes, asked.index[rows], SPEC.horizon)
        y_MH = hierarchy.aggregate(y_WH)
        paths_MSH = hierarchy.aggregate(np.moveaxis(asked.samples_SWH[:, rows], 0, 1))
        for level in GRID:
            gap = y_MH - np.quantile(paths_MSH, level, axis=1)
            pinball = np.maximum(level * gap, (level - 1) * gap).sum()
            told = told[0] + 2 * pinball / len(GRID), told[1]
        told = told[0], told[1] + np.abs(y_MH).sum()
    assert scores(lanes, asked)["level/all/wql"] == pytest.approx(told[0] / told[1], rel=1e-5)


def test_without_paths_a_level_has_no_quantile_scores(lanes, asked):
    told = scores(lanes, replace(asked, samples_SWH=None))
    assert "level/total/wape" in told
    assert not [name for name in told if "wql" in name]


def test_a_node_with_an_unseen_lane_does_not_count(lanes, asked):
    hidden = lanes.values.clone()
    hidden[lanes.offsets[0] + 101] = np.nan
    told = scores(replace(lanes, values=hidden), asked)
    y_WH, seen_WH = labels(replace(lanes, values=hidden), asked.index, SPEC.horizon)
    whole = y_WH.sum() - y_WH[asked.index.cutoff_W == 100, 0].sum()
    assert (~seen_WH).sum() == 1
    assert told["level/total/wape"] == pytest.approx(8 * 13 / whole, rel=1e-6)


def test_the_console_tells_one_line_a_level(lanes, asked):
    lines = level_lines(scores(lanes, asked))
    assert [line.split(":")[0] for line in lines] == [
        "level total",
        "level origin",
        "level bottom",
        "level all",
    ]
