import struct
import sys

import pytest

from lanecast.tracking.record import Run, read_record
from lanecast.tracking.wandb import Mirror


def test_no_tracking_does_not_import_wandb(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert toy("tracking=none") == 0
    (record,) = toy.records()
    assert record["warnings"] == []


def test_a_broken_mirror_is_a_warning_and_not_a_failure(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert toy("tracking=offline") == 0
    (record,) = toy.records()
    assert record["status"] == "completed"
    assert "W&B start failed" in record["warnings"][0]


class Exploding:
    """A W&B run whose every call fails."""

    def __getattr__(self, name):
        raise RuntimeError(name)


def test_every_call_of_the_mirror_is_harmless():
    mirror, told = Mirror(), []
    mirror._run, mirror._warn = Exploding(), told.append
    mirror.log(1, {"loss": 1.0})
    mirror.image("forecast", "forecast.png")
    mirror.finish(summary={}, exit_code=0)
    assert len(told) == 3


def rows_of(record):
    """Read back what an offline run holds: protobuf rows in a leveldb log of 32 KiB blocks."""
    from wandb.proto import wandb_internal_pb2

    (path,) = (record["folder"] / record["wandb"]["dir"]).glob("*.wandb")
    raw, at, row = path.read_bytes(), 7, b""
    while at + 7 <= len(raw):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, size, kind = struct.unpack("<IHB", raw[at : at + 7])
        row += raw[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield wandb_internal_pb2.Record.FromString(row)
            row = b""


@pytest.fixture
def two_jobs(toy, monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    toy("-m", "seed=1,2", "job=second", "tracking=offline", "name=sweep")
    return toy.records("sweep")


def test_each_job_of_a_process_gets_its_own_finished_offline_run(two_jobs, capfd):
    first, second = two_jobs
    assert first["wandb"]["id"] != second["wandb"]["id"]
    assert [record["status"] for record in two_jobs] == ["completed", "failed"]
    for record, code in zip(two_jobs, (0, 1), strict=True):
        rows = list(rows_of(record))
        config = {
            item.key: item.value_json
            for row in rows
            if row.HasField("run")
            for item in row.run.config.update
        }
        curves = [
            item.nested_key[0] if item.nested_key else item.key
            for row in rows
            if row.HasField("history")
            for item in row.history.item
        ]
        exits = [row.exit.exit_code for row in rows if row.HasField("exit")]
        assert f'"seed":{record["seed"]}' in config["model"].replace(" ", "")
        assert "${" not in str(config)
        assert "val/wape" in curves
        assert exits == [code]
    assert "wandb:" not in capfd.readouterr().out


def test_an_image_is_kept_in_the_offline_run(tmp_path):
    from PIL import Image

    cfg = {
        "seed": 1,
        "paths": {"output": str(tmp_path / "run")},
        "tracking": {"_target_": "lanecast.tracking.wandb.Mirror"},
    }
    with Run.open(cfg) as run:
        Image.new("RGB", (4, 4)).save(run.folder / "forecast.png")
        run.image("forecast", run.folder / "forecast.png")
    assert read_record(run.folder)["warnings"] == []
    assert list((run.folder / "wandb").rglob("media/images/*.png"))
