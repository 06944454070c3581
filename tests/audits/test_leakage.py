"""The probe finds a leak wherever in the pipeline it sits, and clears a pipeline without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lanecast.audits.leakage import Subject, probe, refuse
from lanecast.audits.perturbed_tables import hidden_changed, known_changed, shuffled
from lanecast.data import visible
from lanecast.data.forecasts import Forecasts
from lanecast.data.ingest.layout import Keep, panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec
from lanecast.errors import LeakageError
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.runs.record import read_record
from lanecast.sources import SourceTable
from script_runner import scripts_in

SPEC = WindowSpec(context=28, horizon=7, min_context=7)
CUTOFF = pd.Timestamp("2024-04-01")
SCHEMA = Schema.from_config(
    {
        "freq": "D",
        "columns": {
            "y": {"role": "target", "delay": "P1D", "non_negative": True, "integer": True},
            "plan": {"role": "known_future", "lead": "P3D", "non_negative": True},
            "late": {"role": "observed", "delay": "P2D", "non_negative": True},
        },
    }
)


def table() -> SourceTable:
    rng, days = np.random.default_rng(0), pd.date_range("2024-01-01", periods=130)
    blocks = []
    for number in range(6):
        mean = 30 * (number + 1) * (1 + 0.3 * np.sin(2 * np.pi * np.arange(130) / 7))
        y = rng.poisson(mean).astype(float)
        block = {"unique_id": f"L{number}", "ds": days, "y": y, "plan": mean.round(), "late": y / 9}
        blocks.append(pd.DataFrame(block))
    return SourceTable(frame=pd.concat(blocks, ignore_index=True))


WHOLE: dict[str, Panel] = {}  # past the view that a model is handed


class PeeksAtTheLabel(SeasonalNaive):
    """Mixes a little of the answer into its forecast."""

    def point(self, panel, at):
        peeked = np.nan_to_num(visible.labels(panel, at, self.windows))
        return super().point(panel, at) + 1e-3 * peeked


class ScalesOnAllData(SeasonalNaive):
    """Its scale has seen the whole store, past what it was handed as known."""

    def point(self, panel, at):
        y = panel.store[:, 0].numpy()
        return super().point(panel, at) / np.nanstd(y)


class CountsHoles(SeasonalNaive):
    """Reads no hidden value, only whether there is one."""

    def point(self, panel, at):
        there = np.isfinite(visible.labels(panel, at, self.windows))
        return super().point(panel, at) + there


class Constant(SeasonalNaive):
    """Reads nothing."""

    def predict(self, panel, *, at, **_):
        return Forecasts(index=at, point_WH=np.full((len(at), self.windows.horizon), 7.0))


def laid_out(**options) -> Callable[..., Panel]:
    """Lay a table out by the schema alone."""

    def lay_out(table, future=None):
        WHOLE["panel"] = panel_from_table(table, SCHEMA, future=future, **options)
        return WHOLE["panel"]

    return lay_out


def subject(make=SeasonalNaive, **options) -> Subject:
    values = {
        "table": table(),
        "schema": SCHEMA,
        "lay_out": laid_out(),
        "model": make(windows=SPEC, season=7),
        "spec": SPEC,
        "cutoff": CUTOFF,
    }
    return Subject(**{**values, **options})


def test_a_pipeline_without_a_leak_is_clean_to_the_bit_and_its_twin_moves():
    found = probe(subject())
    assert found.told == "clean"
    assert found.moved == 0.0
    assert found.twin > 1.0
    refuse(found, "seasonal_naive")


@pytest.mark.parametrize("leaky", [PeeksAtTheLabel, ScalesOnAllData, CountsHoles])
def test_a_planted_leak_is_caught_and_refused(leaky):
    found = probe(subject(leaky), controls=False)
    assert found.told == "leak"
    assert found.moved > 0
    with pytest.raises(LeakageError, match="reads what was not known at 2024-04-01"):
        refuse(found, "leaky")


def test_a_choice_of_series_that_looks_past_the_cutoff_is_a_leak():
    late = laid_out(keep=Keep(busiest=3, until="2024-05-05"))
    early = laid_out(keep=Keep(busiest=3, until=CUTOFF))
    assert probe(subject(lay_out=early), controls=False).told == "clean"
    found = probe(subject(lay_out=late), controls=False)
    assert found.told == "leak"
    assert "data.keep.until" in found.where


def test_a_model_that_reads_nothing_is_blind_and_not_cleared():
    found = probe(subject(Constant), controls=False)
    assert found.told == "blind"
    with pytest.raises(LeakageError, match="shows nothing"):
        refuse(found, "constant")


def test_hidden_and_known_are_told_apart_by_delay_and_lead():
    frame = table().frame
    ahead = (frame["ds"] - CUTOFF).dt.days
    for name, last in (("y", -1), ("late", -2), ("plan", 3)):
        other = hidden_changed(frame, SCHEMA, CUTOFF)[name]
        assert (other[ahead <= last] == frame[name][ahead <= last]).all()
        assert (other[ahead > last] != frame[name][ahead > last]).all()
        twin = known_changed(frame, SCHEMA, CUTOFF)[name]
        assert (twin[ahead > last] == frame[name][ahead > last]).all()


def test_shuffling_keeps_the_values_of_each_series_and_the_skill_of_the_season_vanishes():
    before, after = table(), shuffled(table(), 1)
    assert (before.frame["y"] != after.frame["y"]).mean() > 0.8
    for name, rows in before.frame.groupby("unique_id"):
        theirs = after.frame.loc[after.frame["unique_id"] == name, "y"]
        assert sorted(rows["y"]) == sorted(theirs)
    skill = probe(subject()).skill
    assert skill["shuffled"] <= 0.05


def test_the_script_writes_the_verdict_into_the_record(tmp_path, monkeypatch, capsys):
    table().frame.to_csv(tmp_path / "lanes.csv", index=False)
    with scripts_in(tmp_path, monkeypatch) as script:
        command = [
            "data=panel_csv", "data.path=lanes.csv", "+data.schema.columns.plan.role=known_future",
            "+data.schema.columns.late.role=observed", "model=seasonal_naive", "tracking=none",
            "protocol.first_cutoff=2024-04-01", "protocol.count=1", "paths.runs=runs", "name=p",
        ]  # fmt: skip
        assert script("probe", *command) == 0
    (folder,) = (tmp_path / "runs" / "p").glob("*/seed1")
    record = read_record(folder)
    assert record["status"] == "completed"
    assert record["probe"]["verdict"] == "clean"
    assert set(record["probe"]["skill"]) == {"as it is", "shuffled", "reversed"}
    assert "clean" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("model", ["seasonal_naive", "lightgbm", "nhits"])
def test_models_are_clean_on_flights(model, tmp_path, monkeypatch):
    with scripts_in(tmp_path, monkeypatch) as script:
        small = ["optim.max_steps=10", "trainer.threads=1"] if model == "nhits" else []
        options = [*small, "tracking=none", "paths.runs=runs", "name=p"]
        assert script("probe", f"model={model}", *options) == 0
    assert list(Path(tmp_path).glob("runs/p/*/seed1/record.json"))
