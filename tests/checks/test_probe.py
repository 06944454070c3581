"""The leakage probe: it passes an honest pipeline and names what a leaking one reads."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lanecast.checks.probe import Answer, answer_of, probe
from lanecast.checks.tampering import (
    known_at,
    reversed_time,
    shuffled_target,
    with_other_values,
)
from lanecast.data.frames import Keep, panel_from_table
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.models.baselines import SeasonalNaive
from lanecast.models.protocol import Forecasts
from lanecast.sources import SourceTable
from script_runner import scripts_in

SPEC = WindowSpec(context=28, horizon=7)
CUTOFF = pd.Timestamp("2024-03-20")
SCHEMA = Schema.from_config(
    {
        "freq": "D",
        "columns": {
            "y": {"role": "target", "delay": "P1D", "non_negative": True, "integer": True},
            "late": {"role": "observed", "delay": "P3D"},
            "plan": {"role": "known_future"},
            "promo": {"role": "known_future", "lead": "P2D"},
        },
    }
)


def small_table() -> SourceTable:
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=110)
    frames = [
        pd.DataFrame(
            {
                "unique_id": name,
                "ds": days,
                "y": rng.poisson(20 + 10 * np.sin(2 * np.pi * np.arange(110) / 7)).astype(float),
                "late": rng.random(110),
                "plan": 20.0 + np.arange(110) % 7,
                "promo": (rng.random(110) < 0.2).astype(float),
            }
        )
        for name in ("A>B", "A>C", "B>C")
    ]
    return SourceTable(frame=pd.concat(frames, ignore_index=True))


def honest(table: SourceTable) -> Answer:
    panel = panel_from_table(table, SCHEMA, calendar={"features": ()}, keep=Keep())
    until = panel.step_of(CUTOFF)
    model = SeasonalNaive(name="naive", season=7, windows=SPEC).fit(panel, until=until)
    at = windows_at(panel, [until], SPEC)
    return answer_of(model.predict(panel, at=at, quantiles=[0.1, 0.9]), panel, at, SPEC)


def scaled_by(column: str, last: pd.Timestamp | None):
    """The honest forecast times the mean of a column up to ``last``, or over the whole table."""

    def pipeline(table: SourceTable) -> Answer:
        seen = table.frame if last is None else table.frame[table.frame["ds"] <= last]
        found = honest(table)
        return replace(found, values=found.values * seen[column].mean())

    return pipeline


def test_an_honest_pipeline_passes_and_its_twin_moves():
    verdict = probe(honest, small_table(), SCHEMA, CUTOFF)
    assert verdict.reasons == []
    assert verdict.moved == 0.0
    assert 0 < verdict.twin < np.inf


@pytest.mark.parametrize("column", ["y", "late"])
def test_a_statistic_of_the_whole_table_is_caught_and_its_column_named(column):
    verdict = probe(scaled_by(column, None), small_table(), SCHEMA, CUTOFF, controls=False)
    assert verdict.moved > 0
    assert column in verdict.through
    assert f"through {column}" in verdict.reasons[0]


def test_a_value_read_a_day_before_it_is_published_is_caught():
    late = CUTOFF - pd.Timedelta(days=2)  # its delay is three days
    assert probe(scaled_by("late", late), small_table(), SCHEMA, CUTOFF, controls=False).moved > 0
    published = late - pd.Timedelta(days=1)
    assert probe(scaled_by("late", published), small_table(), SCHEMA, CUTOFF).moved == 0.0


def test_a_pipeline_that_counts_later_rows_is_caught():
    def pipeline(table: SourceTable) -> Answer:
        found = honest(table)
        return replace(found, values=found.values + len(table.frame))

    nothing_planned = replace(
        SCHEMA, columns={name: SCHEMA.columns[name] for name in ("y", "late", "promo")}
    )
    verdict = probe(pipeline, small_table(), nothing_planned, CUTOFF, controls=False)
    assert verdict.through == ("which rows are there",)


def test_a_pipeline_that_ignores_its_data_is_not_called_safe():
    def constant(table: SourceTable) -> Answer:
        return replace(honest(small_table()), values=np.ones((3, 7, 3)))

    verdict = probe(constant, small_table(), SCHEMA, CUTOFF, controls=False)
    assert "cannot see through" in verdict.reasons[0]


def test_a_forecast_that_knows_shuffled_answers_is_caught():
    def clairvoyant(table: SourceTable) -> Answer:
        panel = panel_from_table(table, SCHEMA, calendar={"features": ()}, keep=Keep())
        at = windows_at(panel, [panel.step_of(CUTOFF)], SPEC)
        from lanecast.data.labels import labels

        y_WH, _ = labels(panel, at, SPEC.horizon)
        return answer_of(Forecasts(index=at, point_WH=y_WH), panel, at, SPEC)

    verdict = probe(clairvoyant, small_table(), SCHEMA, CUTOFF)
    assert any("on shuffled targets" in reason for reason in verdict.reasons)


def test_known_at_is_the_rule_of_delays_and_leads():
    frame = small_table().frame.iloc[:110]
    last = {
        name: frame["ds"][known_at(frame, SCHEMA, name, CUTOFF)].max() for name in SCHEMA.stored
    }
    assert last["y"] == CUTOFF - pd.Timedelta(days=1)
    assert last["late"] == CUTOFF - pd.Timedelta(days=3)
    assert last["promo"] == CUTOFF + pd.Timedelta(days=2)
    assert last["plan"] == frame["ds"].max()


def test_a_changed_table_differs_where_it_should_and_still_passes_the_border():
    table = small_table()
    changed = with_other_values(table, SCHEMA, CUTOFF, known=False, columns=["y"]).frame
    same = changed["y"].to_numpy() == table.frame["y"].to_numpy()
    known = known_at(table.frame, SCHEMA, "y", CUTOFF)
    np.testing.assert_array_equal(same, known)
    panel_from_table(SourceTable(frame=changed), SCHEMA, calendar={"features": ()}, keep=Keep())


def test_controls_keep_each_series_own_values():
    table = small_table()
    for changed in (shuffled_target(table, seed=1), reversed_time(table, SCHEMA)):
        for name, rows in changed.frame.groupby("unique_id"):
            mine = table.frame.loc[table.frame["unique_id"] == name, "y"]
            assert sorted(rows["y"]) == sorted(mine)
            assert rows["y"].tolist() != mine.tolist()


def test_reversed_time_reads_backwards():
    table = small_table()
    back = reversed_time(table, SCHEMA).frame
    assert back.loc[:109, "late"].tolist() == table.frame.loc[:109, "late"].tolist()[::-1]


def test_the_script_probes_the_whole_pipeline_and_records_the_verdict(
    tmp_path, monkeypatch, capsys
):
    import json

    with scripts_in(tmp_path, monkeypatch) as run:
        code = run("probe", "model=seasonal_naive", "controls=false", "tracking=none", "name=p")
    assert code == 0
    assert "passes" in capsys.readouterr().out
    record = json.loads(next(tmp_path.glob("runs/p/*/seed1/record.json")).read_text())
    assert record["probe"]["passes"] is True
    assert record["probe"]["moved"] == 0.0
    assert 0 < record["probe"]["twin"] < 1e6
