"""The functions under the verbs: values in, values out, no folder, no Hydra."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import small_what_if
from lane_table import HORIZON, LAST, ROLLING, lanes
from lanecast.data.forecasts import Forecasts
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec
from lanecast.errors import ConfigError, ScenarioError
from lanecast.evaluation.score import evaluate
from lanecast.interventions import Intervention
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.pipeline.backtesting import backtest
from lanecast.pipeline.folds import Fold, folds_of, history_of
from lanecast.pipeline.forecasting import forecast
from lanecast.pipeline.scenarios import what_if
from lanecast.pipeline.training import train
from lanecast.planning.network import DefaultNetwork
from lanecast.planning.planning import plan
from lanecast.planning.policies import SolveOptions, Stochastic
from lanecast.runs.record import read_record
from lanecast.sources import SourceTable
from script_runner import scripts_in
from small_models import SPEC, Notes, small

CUTOFFS = (84, 91, 98)
WEEKS = WindowSpec(context=28, horizon=HORIZON, min_context=7)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder in which nothing may appear."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def naive(spec: WindowSpec = SPEC) -> SeasonalNaive:
    return SeasonalNaive(windows=spec, season=7)


def same(one: Forecasts, other: Forecasts) -> bool:
    return np.array_equal(one.point_WH, other.point_WH) and np.array_equal(
        one.index.cutoff_W, other.index.cutoff_W
    )


def test_a_backtest_gives_forecasts_scores_and_the_last_model_and_leaves_no_file(
    panel: Panel, nowhere: Path
) -> None:
    prototype = small("linear")
    result = backtest(
        panel, prototype, windows=SPEC, cutoffs=CUTOFFS, refit=2, quantiles=[0.1, 0.9], samples=3
    )
    assert prototype.fitted_until is None
    assert result.folds == (Fold(until=84, cutoffs=(84, 91)), Fold(until=98, cutoffs=(98,)))
    assert result.model.fitted_until == 98
    windows = len(result.forecasts.index)
    assert result.windows["windows"] == windows
    assert windows + result.windows["windows_without_history"] == 4 * len(CUTOFFS)
    assert result.forecasts.samples_SWH is not None
    assert result.forecasts.samples_SWH.shape == (3, windows, SPEC.horizon)
    again = evaluate(result.forecasts, panel, SPEC, season=7).values
    np.testing.assert_equal(dict(result.scores.values), again)
    assert result.facts["name"] == "linear"
    assert not result.futures
    assert list(nowhere.iterdir()) == []


def test_a_fit_of_a_fold_is_the_fit_that_one_would_make_there(panel: Panel) -> None:
    result = backtest(panel, small("linear"), windows=SPEC, cutoffs=CUTOFFS, refit="each")
    for number, cutoff in enumerate(CUTOFFS):
        alone = small("linear").fit(panel, until=cutoff)
        rows = result.forecasts.index.cutoff_W == cutoff
        mine = alone.predict(panel, at=result.forecasts.index[np.flatnonzero(rows)])
        assert np.array_equal(result.forecasts.point_WH[rows], mine.point_WH), number


def test_a_fitted_model_is_asked_as_it_is_and_fitted_anew_only_where_refits_are_asked(
    panel: Panel,
) -> None:
    model = small("linear").fit(panel, until=CUTOFFS[0])
    options: dict[str, Any] = {"windows": SPEC, "cutoffs": CUTOFFS}
    as_it_is = backtest(panel, model, **options)
    assert as_it_is.model is model
    assert same(
        as_it_is.forecasts, backtest(panel, small("linear"), **options, refit="never").forecasts
    )
    refitted = backtest(panel, model, **options, refit="each")
    assert model.fitted_until == CUTOFFS[0]
    assert not same(as_it_is.forecasts, refitted.forecasts)


def test_a_sliding_window_forgets_what_lies_before_it(panel: Panel) -> None:
    options: dict[str, Any] = {"windows": SPEC, "cutoffs": (98,)}
    slid = backtest(panel, small("linear"), **options, window=60)
    short = small("linear").fit(panel.since(98 - 60 + 1), until=98)
    assert np.array_equal(
        slid.forecasts.point_WH, short.predict(panel, at=slid.forecasts.index).point_WH
    )
    assert not same(slid.forecasts, backtest(panel, small("linear"), **options).forecasts)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: folds_of([], "never"), "ascending order"),
        (lambda: folds_of([9, 7], "each"), "ascending order"),
        (lambda: folds_of([7, 9], "often"), "protocol.refit='often'"),
        (lambda: folds_of([7, 9], 0), "protocol.refit=0"),
        (lambda: history_of("all"), "protocol.window='all'"),
        (lambda: history_of(0), "protocol.window=0"),
    ],
)
def test_cutoffs_refits_and_windows_without_meaning_are_refused(
    build: Callable[[], object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        build()


def test_training_gives_the_objective_of_the_best_checkpoint_and_tells_its_curves(
    panel: Panel, nowhere: Path
) -> None:
    prototype = small("linear")
    trained = train(panel, prototype, windows=SPEC, until=100, val_steps=14)
    assert prototype.fitted_until is None
    assert trained.model.fitted_until == 100
    assert trained.scores == {trained.objective.name: trained.objective.value}
    assert trained.objective.step is not None
    assert list(nowhere.iterdir()) == []
    notes = Notes(nowhere / "told")
    train(panel, prototype, windows=SPEC, until=100, val_steps=14, reporter=notes)
    assert min(notes.curve(trained.objective.name)) == trained.objective.value


def test_a_baseline_is_judged_on_the_last_steps_as_it_stood_before_them(panel: Panel) -> None:
    notes = Notes(Path("nowhere"))
    trained = train(panel, naive(), windows=SPEC, until=100, val_steps=14, reporter=notes)
    before = backtest(panel, naive(), windows=SPEC, cutoffs=(86, 93))
    assert trained.objective.name == "val/wape"
    assert trained.objective.value == before.scores.values["wape"]
    assert trained.model.fitted_until == 100
    assert notes.curve("val/wape") == [trained.objective.value]


def test_a_forecast_goes_beyond_the_last_target_and_names_what_it_leaves_out(
    future_panel: Panel, nowhere: Path
) -> None:
    model = small("linear").fit(future_panel, until=future_panel.last_step)
    ahead = forecast(future_panel, model, windows=SPEC, quantiles=[0.5])
    assert ahead.cutoff == future_panel.last_step
    assert ahead.left_out == ()
    assert np.isfinite(ahead.forecasts.point_WH).all()
    assert list(nowhere.iterdir()) == []
    notes = Notes(nowhere)
    early = naive().fit(future_panel, until=91)
    some = forecast(future_panel, early, windows=SPEC, cutoff=91, reporter=notes)
    assert some.left_out == ("A>D",)  # it began the day before
    assert len(some.forecasts.index) == 3
    assert "'A>D'" in notes.warnings[0]


def test_a_question_gives_both_arms_its_badge_and_no_file(nowhere: Path) -> None:
    model = small_what_if.coupled("delta", "linear")
    do = [Intervention.from_config({"node": "promo", "kind": "hard", "value": 1.0, "first": 8})]
    notes = Notes(nowhere / "told")
    answer = what_if(
        small_what_if.world(),
        model,
        windows=small_what_if.SPEC,
        do=do,
        cutoff=small_what_if.CUTOFF,
        samples=4,
        reporter=notes,
    )
    assert answer.badge.startswith("do-valid under DAG")
    effect_SWH = answer.nodes["orders"].difference_SWH
    assert (effect_SWH[..., :7] == 0).all()
    assert (effect_SWH[..., 7:] != 0).any()
    assert answer.cutoff == small_what_if.CUTOFF
    assert "was not audited" in notes.warnings[0]
    assert list(nowhere.iterdir()) == []


def test_what_has_no_graph_or_was_audited_as_less_is_not_asked() -> None:
    panel, do = small_what_if.world(), [Intervention.from_config({"node": "promo", "value": 1.0})]
    options: dict[str, Any] = {"windows": small_what_if.SPEC, "do": do, "cutoff": 139}
    bare = SeasonalNaive(windows=small_what_if.SPEC, season=7).fit(panel, until=139)
    with pytest.raises(ScenarioError, match="no graph"):
        what_if(panel, bare, **options)
    audit = {"badge": "associational"}
    with pytest.raises(ScenarioError, match="mine is associational by its audit"):
        what_if(
            panel, small_what_if.coupled("delta", "linear"), **options, audit=audit, subject="mine"
        )


def test_a_plan_prices_its_paths_and_what_happened(panel: Panel, nowhere: Path) -> None:
    from lanecast.planning.backtest import paths_at, realized_volume

    hubs = ["A>B", "A>C", "A>D", "A>E"]
    named = panel.select(range(4))
    assert [str(name) for name in named.series] == hubs
    result = backtest(named, naive(), windows=SPEC, cutoffs=(98,), samples=5)
    paths = paths_at(result.forecasts, named, 98, days=3, unit="packages")
    happened = realized_volume(named, 98, paths)
    network = DefaultNetwork(unit="packages")
    options = SolveOptions()
    planned = plan(
        named,
        {"plan": paths},
        network=network,
        policy=Stochastic(),
        as_of=98,
        options=options,
        happened=happened,
    )
    values = planned.values
    assert values["expected_usd"] == pytest.approx(planned.outcomes["plan"].expected)
    assert values["realized_usd"] >= values["perfect_usd"] - 1e-6
    more = {"baseline": paths, "scenario": paths}
    both = plan(named, more, network=network, policy=Stochastic(), as_of=98).values
    assert both["cost_of_action_usd"] == pytest.approx(0.0)
    assert both["baseline/expected_usd"] == pytest.approx(values["expected_usd"])
    assert list(nowhere.iterdir()) == []


def test_a_script_and_the_core_give_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = lanes()[0].drop(columns=["promo", "late"])
    table.to_csv(tmp_path / "lanes.csv", index=False)
    size = ["windows.context=28", f"windows.horizon={HORIZON}", "windows.min_context=7"]
    with scripts_in(tmp_path, monkeypatch) as script:
        command = ["data=panel_csv", "data.path=lanes.csv", "model=seasonal_naive", *size]
        assert script("backtest", *command, *ROLLING, "tracking=none", "paths.runs=runs") == 0
    (folder,) = (tmp_path / "runs").glob("*/*/seed1")
    schema = Schema.from_config({"freq": "D", "columns": {"y": {"role": "target"}}})
    panel = panel_from_table(SourceTable(frame=table), schema)
    first = panel.step_of("2024-04-20")
    mine = backtest(panel, naive(WEEKS), windows=WEEKS, cutoffs=(first, first + 7))
    theirs = pd.read_parquet(folder / "forecasts.parquet")
    order = theirs.sort_values(["cutoff", "unique_id", "ds"])["seasonal_naive"].to_numpy()
    np.testing.assert_allclose(mine.forecasts.point_WH.ravel(), order, rtol=1e-6)
    assert read_record(folder)["scores"]["wape"] == pytest.approx(mine.scores.values["wape"])
    assert panel.time_of(panel.last_step) == LAST


PROGRAM = """
import sys
from pathlib import Path
from lanecast.testing import example_panel
from lanecast.pipeline.backtesting import backtest
from lanecast.pipeline.forecasting import forecast
from lanecast.pipeline.scenarios import what_if
from lanecast.pipeline.training import train
from lanecast.planning.planning import plan
from lanecast.data.windows import WindowSpec
from lanecast.models.classical.naive import SeasonalNaive
panel, spec = example_panel(future=7), WindowSpec(context=28, horizon=7, min_context=7)
trained = train(panel, SeasonalNaive(windows=spec, season=7), windows=spec, until=119, val_steps=14)
forecast(panel, trained.model, windows=spec)
backtest(panel, SeasonalNaive(windows=spec, season=7), windows=spec, cutoffs=[98, 105])
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"hydra", "omegaconf", "wandb"}))
print(list(Path().iterdir()))
"""


def test_no_core_loads_hydra_or_writes_into_the_working_folder(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == ["[]", "[]"]


def test_an_unfitted_coupled_model_can_be_sent_to_another_process() -> None:
    model = small_what_if.coupled("delta", "linear")
    sent = pickle.loads(pickle.dumps(model))
    at = small_what_if.at()
    ours, theirs = (each.predict(small_what_if.world(), at=at) for each in (model, sent))
    assert np.array_equal(ours.point_WH, theirs.point_WH)


def test_a_clone_of_a_coupled_model_keeps_its_fitted_layer_to_itself() -> None:
    model = small_what_if.coupled("delta", "linear")
    twin = model.clone()
    assert twin.layer is not model.layer
    losses = dict(model.layer.losses)
    twin.layer.fit(small_what_if.world(), until=small_what_if.CUTOFF)  # fitted there already
    assert twin.layer.mechanisms is not model.layer.mechanisms
    assert dict(twin.layer.losses) == losses
    twin.layer.fit(small_what_if.world(), until=small_what_if.CUTOFF - 7)
    assert model.layer.fitted_until == small_what_if.CUTOFF
    assert dict(model.layer.losses) == losses
