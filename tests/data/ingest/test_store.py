"""A store opens as the very panel that the parts make at once; what it cannot hold is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.speed.incumbent import frame_of
from lanecast.data.gather import BY_WINDOW, Gatherer
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.ingest.store import open_store, write_store
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.errors import ConfigError, SchemaError
from lanecast.sources import SourceTable

SCHEMA = Schema.from_config(
    {
        "freq": "D",
        "columns": {
            "y": {"role": "target"},
            "late": {"role": "observed"},
            "region": {"role": "static"},
        },
    }
)
CALENDAR = {"features": ["weekday"]}


@pytest.fixture
def frame():
    rng = np.random.default_rng(3)
    rows = []
    for number, (first, days) in enumerate(
        [("2024-01-03", 60), ("2024-01-01", 40), ("2024-01-20", 50)]
    ):
        dates = pd.date_range(first, periods=days)
        rows.append(
            pd.DataFrame(
                {
                    "unique_id": f"lane{number}",
                    "ds": dates,
                    "y": rng.poisson(9, days).astype(float),
                    "late": rng.random(days),
                    "region": "north" if number else "south",
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    return table.drop(index=[10, 11, 75])  # gaps


def parts(frame):
    by = frame.groupby("unique_id", sort=True)
    return [(name, SourceTable(frame=part.reset_index(drop=True))) for name, part in by]


def test_a_store_opens_as_the_panel_of_the_whole_table(frame, tmp_path):
    whole = panel_from_table(
        SourceTable(frame=frame.reset_index(drop=True)), SCHEMA, calendar=CALENDAR
    )
    cells = write_store(tmp_path / "s", parts(frame), SCHEMA)
    found = open_store(tmp_path / "s", SCHEMA, calendar=CALENDAR)
    assert cells == whole.num_cells
    assert found.fingerprint == whole.fingerprint
    assert found.static_names == whole.static_names
    assert found.last_step == whole.last_step
    assert found.attributes["region"].tolist() == whole.attributes["region"].tolist()
    spec = WindowSpec(context=14, horizon=7, min_context=3)
    at = windows_at(whole, [20, 45], spec)
    for name in BY_WINDOW:
        here, there = Gatherer(found, spec)(at)[0], Gatherer(whole, spec)(at)[0]
        assert torch.equal(getattr(here, name), getattr(there, name)), name


def test_values_stay_on_disk(frame, tmp_path):
    write_store(tmp_path / "s", parts(frame), SCHEMA)
    found = open_store(tmp_path / "s", SCHEMA)
    before = (tmp_path / "s" / "values.f32").read_bytes()
    found.values[0] = 99.0  # copied on write
    assert (tmp_path / "s" / "values.f32").read_bytes() == before


def test_a_series_in_two_parts_is_refused(frame, tmp_path):
    half = SourceTable(frame=frame.iloc[:20])
    rest = SourceTable(frame=frame.iloc[20:])
    with pytest.raises(SchemaError, match=r"lane0.*two parts"):
        write_store(tmp_path / "s", [("a", half), ("b", rest)], SCHEMA)
    assert not (tmp_path / "s").exists()


def test_a_bad_part_is_named(frame, tmp_path):
    bad = frame.assign(y=frame["y"].where(frame["y"].index != 3, np.inf))
    with pytest.raises(SchemaError, match=r"^part-7: .*lane0"):
        write_store(tmp_path / "s", [("part-7", SourceTable(frame=bad))], SCHEMA)


def test_nothing_is_overwritten(frame, tmp_path):
    write_store(tmp_path / "s", parts(frame), SCHEMA)
    with pytest.raises(ConfigError, match="there already"):
        write_store(tmp_path / "s", parts(frame), SCHEMA)


def test_a_store_keeps_when_its_lanes_close(frame, tmp_path):
    frame["shut"] = frame["unique_id"].map({"lane1": "2024-02-01"})
    declared = replace(SCHEMA, closed="shut", closes_after="P14D")
    panel = panel_from_table(SourceTable(frame=frame), declared, calendar=CALENDAR)
    write_store(tmp_path / "s", parts(frame), declared)
    opened = open_store(tmp_path / "s", declared, calendar=CALENDAR)
    assert opened.fingerprint == panel.fingerprint
    spec = WindowSpec(context=10, horizon=5)
    closed = [windows_at(held, [20, 30, 40, 58], spec) for held in (panel, opened)]
    pairs = [list(zip(at.series_W, at.cutoff_W, strict=True)) for at in closed]
    assert pairs[0] == pairs[1]
    assert (1, 30) in pairs[1]
    assert (1, 40) not in pairs[1]


def test_zeros_for_absent_rows_are_refused(frame, tmp_path):
    with pytest.raises(ConfigError, match="absent=zero"):
        write_store(tmp_path / "s", parts(frame), replace(SCHEMA, absent="zero"))


def test_another_declaration_is_refused(frame, tmp_path):
    write_store(tmp_path / "s", parts(frame), SCHEMA)
    columns = {name: SCHEMA.columns[name] for name in ("y", "region")}
    with pytest.raises(SchemaError, match="stored"):
        open_store(tmp_path / "s", replace(SCHEMA, columns=columns))
    with pytest.raises(ConfigError, match="lanecast prepare"):
        open_store(tmp_path / "nothing", SCHEMA)


def test_the_benchmark_hands_the_same_table_to_both(panel):
    frame, static = frame_of(panel)
    assert len(frame) == panel.num_cells
    assert static is None or len(static) == panel.num_series
    assert np.array_equal(frame["y"].to_numpy(), panel.column("y").numpy(), equal_nan=True)
