"""C8, C9 and C11: an ordinary backtest ranks models wrongly for planning, and delta does not mind.

Two worlds, one seed, N-HiTS: minutes.  `make midmile-do` has more seeds, couplings and axes.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hydra import compose, initialize_config_dir

from lanecast.benchmarks.midmile_do.cells import groups_of, tasks_of, work
from lanecast.benchmarks.midmile_do.protocol import GOAL_AXES
from lanecast.benchmarks.midmile_do.run import cells_of, plan_of

CONF = Path(__file__).parents[2] / "conf"


@lru_cache
def rows(policy):
    """WAPE by coupling and axis."""
    overrides = [
        f"policies=[{policy}]",
        "seeds=1",
        "couplings=[none,delta]",
        "more=[]",
        "path_cutoffs=[]",
        "samples={default: 32}",
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("midmile_do", overrides=overrides)
    folder, plan = Path(mkdtemp()), plan_of(cfg)
    tasks = tasks_of(cells_of(cfg), plan, conf=CONF)
    for group in groups_of(tasks, plan, conf=CONF, folder=folder):
        work(group)
    return {
        task.cell.coupling: {
            axis: row["wape"] for axis, row in task.finished(folder)["rows"].items()
        }
        for task in tasks
    }


@pytest.mark.slow
def test_delta_halves_the_error_of_what_if_answers():
    found = rows("reactive")
    for axis in GOAL_AXES:
        assert found["delta"][axis] <= 0.5 * found["none"][axis], axis


@pytest.mark.slow
def test_the_backtest_with_logged_futures_prefers_the_model_that_answers_worst():
    found = rows("reactive")
    assert found["none"]["factual"] < found["delta"]["factual"]
    for axis in GOAL_AXES:
        assert found["none"][axis] > found["delta"][axis], axis
    assert found["delta"]["as_known"] <= 1.05 * found["none"]["as_known"]


@pytest.mark.slow
def test_with_randomized_promotions_the_inversion_is_gone():
    found = rows("randomized")
    assert found["none"]["factual"] > found["delta"]["factual"]
    for axis in ("do_off", "do_on"):
        assert 0.9 <= found["none"][axis] / found["delta"][axis] <= 1.25, axis


@pytest.mark.slow
def test_no_forecast_beats_the_oracle():
    for policy in ("reactive", "randomized"):
        found = rows(policy)
        for axis, floor in found["oracle"].items():
            assert found["delta"][axis] > floor, (policy, axis)
            assert found["none"][axis] > floor, (policy, axis)
