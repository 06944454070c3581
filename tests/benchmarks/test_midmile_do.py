"""midmile-do: the judge is exact, a table has its columns, a stopped run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from lanecast.benchmarks.midmile_do import tables
from lanecast.benchmarks.midmile_do.cells import groups_of, tasks_of, work
from lanecast.benchmarks.midmile_do.judging import Judge, integral
from lanecast.benchmarks.midmile_do.protocol import AXES, DO, NOT_IDENTIFIED, ORACLE, Cell
from lanecast.benchmarks.midmile_do.run import cells_of, plan_of
from lanecast.causal.graph.graph import Graph
from lanecast.config import instantiate
from lanecast.data.forecasts import Forecasts
from lanecast.data.ingest.loading import load_panel
from lanecast.models.protocol import Capabilities
from lanecast.models.quantiles.support import on_support
from lanecast.pipeline.building import plain_config
from lanecast.whatif.mixing import GRID

CONF = Path(__file__).parents[2] / "conf"
TINY = [
    "preset=tiny",
    "seeds=1",
    "policies=[reactive]",
    "branches=16",
    "paths=4",
    "path_cutoffs=[0]",
    "samples={default: 2}",
    "networks=[linear]",
    "more=[]",
    "overrides=['optim.max_steps=2','coupling.mechanisms.steps=5','protocol.count=2',"
    "'protocol.first_cutoff=2023-05-15','protocol.step=14']",
]


def config(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("midmile_do", overrides=[*TINY, *overrides])


def tasks(cfg):
    plan = plan_of(cfg)
    return tasks_of(cells_of(cfg), plan, conf=CONF), plan


def run_all(cfg, folder):
    made, plan = tasks(cfg)
    for group in groups_of(made, plan, conf=CONF, folder=folder):
        work(group)
    return {task.cell: task.finished(folder) for task in made}


@pytest.fixture(scope="module")
def judge():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("backtest", overrides=["experiment=midmile_do", "data.source.preset=tiny"])
    panel = load_panel(cfg.data)
    first = panel.step_of("2023-05-15")
    return Judge(
        world=instantiate(cfg.data.source).world,
        panel=panel,
        graph=Graph.from_config(plain_config(cfg.dag)),
        spec=instantiate(cfg.windows),
        cutoffs=(first, first + 14),
        branches=16,
        paths=4,
        path_cutoffs=(1,),
    )


class Knowing:
    """Answers with the judge's own truth, as quantiles without spread."""

    def __init__(self, judge, answers):
        self.judge, self.answers, self.asked = judge, list(answers), []

    def describe(self):
        return Capabilities(
            windows=self.judge.spec,
            uses=frozenset(),
            quantiles="paths",
            do_validity="do-valid under DAG 00000000",
        )

    def predict(self, panel, *, at, quantiles=None, samples=None, seed=0, action=None, futures=""):
        self.asked.append((action, futures))
        mean_WH = self.answers.pop(0)
        grid = None if quantiles is None else np.repeat(mean_WH[..., None], len(quantiles), axis=-1)
        paths = None if samples is None else np.repeat(mean_WH[None], samples, axis=0)
        return Forecasts(
            index=at,
            point_WH=on_support(mean_WH, panel.schema.columns["y"]),
            levels=tuple(quantiles or ()),
            quantiles_WHQ=grid,
            samples_SWH=paths,
        )


def test_the_truth_itself_scores_zero_on_every_do_axis_and_the_axes_are_asked_as_declared(judge):
    y = np.zeros((80, 14))
    answers = [y, y, *(judge.truth[axis] for axis in DO), *(y[:40] for _ in range(3))]
    entrant = Knowing(judge, answers)
    found = judge.score(entrant)
    for axis in DO:
        assert found["rows"][axis]["wape"] < 1e-6
    assert found["rows"]["factual"]["wape"] == pytest.approx(1.0)
    assert found["moved_before"]["largest"] < 1e-3 * judge.truth["do_off"].max()
    actions = [action for action, _ in entrant.asked[2:8]]
    assert (actions[0].hard["promo"] == 0).all()
    assert (actions[1].hard["promo"] == 1).all()
    drawn = actions[2].hard["promo"].reshape(2, 40, 14)
    assert 0.2 < drawn.mean() < 0.4
    assert (drawn[0] == drawn[1]).all()
    assert (actions[3].hard["promo"][:, :7] == 0).all()
    assert (actions[3].hard["promo"][:, 7:] == 1).all()
    assert (actions[4].soft["price"].scale_WH[:, 7:] == np.float32(1.1)).all()
    logged = judge.panel.column("capacity").numpy()
    assert actions[5].hard["capacity"].max() <= 0.7 * logged.max() + 1e-3


def test_windows_are_compared_with_their_own_lane_and_cutoff(judge):
    shuffled = {axis: truth[::-1] for axis, truth in judge.truth.items()}
    y = np.zeros((80, 14))
    entrant = Knowing(judge, [y, y, *(shuffled[axis] for axis in DO), *(y[:40] for _ in range(3))])
    assert judge.score(entrant)["rows"]["do_on"]["wape"] > 0.2


def test_the_oracle_errs_by_what_it_cannot_see_and_no_more(judge):
    rows = judge.floor()["rows"]
    for axis in ("do_off", "do_on", "do_delayed"):
        assert 0.02 < rows[axis]["wape"] < 0.12
        assert abs(rows[axis]["bias"]) < 0.03
    assert rows["do_off"]["badge"] == ORACLE


def test_intervals_from_the_law_of_the_draws_cover_what_they_say():
    rng = np.random.default_rng(0)
    paths, draws = rng.normal(size=(50, 4000)), rng.normal(size=4000)
    low, high = np.quantile(paths, (0.1, 0.9), axis=0, method="weibull")
    assert ((draws >= low) & (draws <= high)).mean() == pytest.approx(0.8, abs=0.02)


def test_the_mean_of_a_grid_is_the_integral_of_its_quantiles():
    weights = integral(GRID)
    assert weights.sum() == pytest.approx(1.0)
    assert float(np.array(GRID) @ weights) == pytest.approx(0.5)


def test_a_run_leaves_every_cell_and_tables_with_the_declared_columns(tmp_path, capsys):
    found = run_all(config("couplings=[none,delta]"), tmp_path)
    assert {cell.coupling for cell in found} == {"none", "delta", ORACLE}
    written = tables.write(found, tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")
    assert tuple(table.columns) == tables.COLUMNS
    assert set(table.loc[table["coupling"] == "delta", "axis"]) == set(AXES)
    assert table.loc[table["network"] != ORACLE, "wape"].notna().all()
    delta = table[table["coupling"] == "delta"]
    assert delta["badge"].str.startswith("do-valid under DAG").all()
    assert (table.loc[table["coupling"] == "none", "badge"] == "associational").all()
    moved = pd.read_csv(tmp_path / "moved.csv").set_index("coupling")
    assert moved.loc["delta", "largest"] == 0.0
    assert moved.loc["none", "largest"] > 0.0
    assert written["coverage"]["coverage"].between(0, 1).all()
    lines = tables.wide_lines(written["table"], written["moved"])
    assert any("linear/delta" in line for line in lines)
    assert any("linear/delta" in line for line in tables.goal_lines(table, written["coverage"]))


def test_finished_cells_are_kept_and_a_change_of_the_config_makes_them_again(tmp_path):
    cfg = config("couplings=[no_future]")
    run_all(cfg, tmp_path)
    made, plan = tasks(cfg)
    assert groups_of(made, plan, conf=CONF, folder=tmp_path) == []
    path = tmp_path / "cells" / "reactive-seed1-linear-no_future.json"
    assert json.loads(path.read_text())["seconds"]["fit"] > 0
    changed = config("couplings=[no_future]", "preset=small")
    made, plan = tasks(changed)
    (group,) = groups_of(made, plan, conf=CONF, folder=tmp_path)
    assert {task.cell.network for task in group.tasks} == {"linear", ORACLE}


def test_a_confounded_price_has_an_empty_wape_and_says_that_nothing_identifies_it(tmp_path):
    found = run_all(config("couplings=[delta]", "confounded_price=true"), tmp_path)
    table = tables.long_table(found)
    price = table[(table["axis"] == "do_price") & (table["network"] == "linear")]
    assert price["wape"].isna().all()
    assert price["badge"].tolist() == [NOT_IDENTIFIED]
    others = table[(table["axis"] != "do_price") & (table["network"] == "linear")]
    assert others["wape"].notna().all()


def test_the_full_run_of_the_makefile_composes_for_every_entrant():
    text = (CONF.parent / "Makefile").read_text().replace("\\\n", " ")
    (line,) = [one for one in text.splitlines() if one.startswith("FULL")]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("midmile_do", overrides=line.split(":=")[1].split())
    cells = [cell for cell in cells_of(cfg) if cell.seed == 1]
    assert {cell.policy for cell in cells} == {"reactive", "randomized", "committed"}
    assert {"tft", "nhits", "lightgbm"} <= {cell.network for cell in cells}
    made = tasks_of(cells, plan_of(cfg), conf=CONF)
    assert len({task.facts["config"] for task in made}) == len(cells)


def test_the_standard_error_is_that_of_the_mean_over_seeds():
    rows = {
        Cell("reactive", seed, "nhits", "delta"): {
            "rows": {"do_off": {"wape": wape, "bias": 0.0, "badge": "x"}}
        }
        for seed, wape in ((1, 0.1), (2, 0.2), (3, 0.3))
    }
    (row,) = tables.long_table(rows).to_dict("records")
    assert row["wape"] == pytest.approx(0.2)
    assert row["se"] == pytest.approx(0.1 / np.sqrt(3))
