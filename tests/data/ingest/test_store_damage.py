"""A damaged store is one line with the file and the way out; half of one is none."""

import fcntl
import json
import logging

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest import blocks
from lanecast.data.ingest.loading import load_panel
from lanecast.data.ingest.store import MANIFEST, SERIES, VALUES, open_store, write_store
from lanecast.data.schema import Schema
from lanecast.errors import ConfigError, LanecastError, SchemaError
from lanecast.sources import SourceTable

SCHEMA = Schema.from_config({"freq": "D", "columns": {"y": {"role": "target"}}})
DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "longer": lambda content: content + content,
    "junk": lambda content: np.random.default_rng(0).bytes(len(content)),
    "flipped in a number": lambda content: content.replace(b"100", b"101"),
    "flipped": lambda content: content[:77] + bytes([content[77] ^ 1]) + content[78:],
}


def part(lane, rows=50):
    days = pd.date_range("2026-01-01", periods=rows)
    return lane, SourceTable(
        frame=pd.DataFrame({"unique_id": lane, "ds": days, "y": np.arange(rows, dtype=float)})
    )


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 64)
    write_store(tmp_path / "lanes.store", [part("a"), part("b")], SCHEMA)
    return tmp_path / "lanes.store"


def test_a_whole_store_opens_and_is_read(store):
    facts = json.loads((store / MANIFEST).read_text())["files"]
    assert facts[VALUES]["size"] == 400
    assert len(facts[VALUES]["crc32"]) == 7
    assert open_store(store, SCHEMA).fingerprint
    assert [path.name for path in store.parent.iterdir()] == ["lanes.store"]


@pytest.mark.parametrize("name", [VALUES, SERIES, MANIFEST])
@pytest.mark.parametrize("damage", DAMAGE)
def test_every_damage_of_every_file_is_told_before_a_full_read_ends(store, name, damage):
    path = store / name
    if (content := DAMAGE[damage](path.read_bytes())) == path.read_bytes():
        pytest.skip("holds no such number")
    path.write_bytes(content)
    with pytest.raises(LanecastError) as refused:
        _ = open_store(store, SCHEMA).fingerprint
    assert "\n" not in str(refused.value)
    assert (name in str(refused.value)) or "lanes.store was written with" in str(refused.value)
    assert "anew" in str(refused.value)


@pytest.mark.parametrize("name", [VALUES, SERIES])
def test_a_file_that_is_gone_is_named(store, name):
    (store / name).unlink()
    with pytest.raises(SchemaError, match=rf"{name} is gone"):
        open_store(store, SCHEMA)


def test_a_flipped_value_is_placed_and_does_not_cost_the_opening(store):
    path = store / VALUES
    path.write_bytes(DAMAGE["flipped"](path.read_bytes()))
    panel = open_store(store, SCHEMA)
    with pytest.raises(SchemaError, match="between the bytes 64 and 128"):
        _ = panel.fingerprint


def test_a_store_of_an_earlier_lanecast_is_read_with_a_warning(store, caplog):
    facts = json.loads((store / MANIFEST).read_text())
    del facts["files"], facts["sha256"]
    (store / MANIFEST).write_text(json.dumps(facts))
    with caplog.at_level(logging.WARNING):
        assert open_store(store, SCHEMA).fingerprint
    assert "lists no checksums" in caplog.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": {"min_rows": 3, "until": None}}, r"data\.keep\.min_rows=3"),
        ({"keep": {"busiest": 10}}, r"data\.keep\.busiest=10"),
        ({"future_path": "future.csv"}, r"data\.future_path=future\.csv"),
    ],
)
def test_what_a_store_cannot_follow_is_refused_by_name(store, options, words):
    config = {"store": str(store), "schema": {"freq": "D", "columns": {"y": {"role": "target"}}}}
    assert load_panel({**config, "keep": {"min_rows": None}}).num_series == 2
    with pytest.raises(ConfigError, match=words):
        load_panel({**config, **options})


@pytest.mark.parametrize("parts_before", [0, 1, 2])
def test_a_writing_that_is_stopped_leaves_no_store(tmp_path, parts_before):
    def parts():
        for number in range(parts_before):
            yield part(f"lane{number}")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "lanes.store", parts(), SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_write_one_store_the_second_is_refused(tmp_path):
    with (tmp_path / ".lanes.store.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="being written by another process"):
            write_store(tmp_path / "lanes.store", [part("a")], SCHEMA)
