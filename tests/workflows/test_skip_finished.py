"""``skip_finished=true`` takes a number only where it would come out the same today."""

import json
import logging
import math

import pandas as pd
import pytest
from omegaconf import OmegaConf

from lanecast.errors import RunFolderError
from lanecast.runs.record import Objective, Run
from lanecast.runs.semantics import SEMANTICS
from lanecast.workflows.finished import finished_objective


@pytest.fixture
def cfg(tmp_path):
    days = pd.date_range("2026-01-01", periods=20)
    table = pd.DataFrame({"unique_id": "a", "ds": days, "y": range(20)})
    for name in ("orders.csv", "future.csv", "lanes.csv"):
        table.to_csv(tmp_path / name, index=False)
    data = {
        "path": str(tmp_path / "orders.csv"),
        "future_path": None,
        "source": {"_target_": "lanecast.sources.tables.CsvTable", "path": "${..path}"},
        "schema": {"freq": "D", "columns": {"y": {"role": "target"}}},
    }
    return OmegaConf.create(
        {
            "verb": "train",
            "seed": 1,
            "data": data,
            "paths": {"output": str(tmp_path / "run")},
            "keep": {},
        }
    )


def finish(cfg, value=0.5):
    from lanecast.data.ingest.loading import load_panel

    with Run.open(cfg) as run:
        run.note(data={"fingerprint": load_panel(cfg.data).fingerprint})
        run.set_objective(Objective(name="val/wape", value=value))
        assert finished_objective(cfg) is None  # running
    return run.folder


def edit(folder, **facts):
    record = json.loads((folder / "record.json").read_text())
    record.pop("sha256")
    for key, value in facts.items():
        if value is None:
            record.pop(key)
        else:
            record[key] = value
    (folder / "record.json").write_text(json.dumps(record))


def test_the_number_of_a_finished_run_is_taken(cfg):
    assert finished_objective(cfg) is None  # there is no folder
    finish(cfg)
    assert finished_objective(cfg) == 0.5


def test_an_undefined_number_is_skipped_like_any(cfg):
    finish(cfg, math.nan)
    assert math.isnan(finished_objective(cfg))


def test_values_that_changed_are_refused_with_the_file_before_and_after(cfg):
    finish(cfg)
    with open(cfg.data.path, "a") as file:
        file.write("a,2026-01-21,7\n")
    with pytest.raises(RunFolderError, match=r"orders\.csv: \d+ bytes .* before, \d+ bytes .* now"):
        finished_objective(cfg)


def test_equally_many_bytes_of_other_values_are_refused(cfg, tmp_path):
    finish(cfg)
    path = tmp_path / "orders.csv"
    path.write_text(path.read_text().replace("a,2026-01-08,7", "a,2026-01-08,8"))
    with pytest.raises(RunFolderError, match="its data changed since"):
        finished_objective(cfg)


def test_the_same_panel_in_another_file_is_taken(cfg, tmp_path):
    finish(cfg)
    path = tmp_path / "orders.csv"
    rows = pd.read_csv(path)
    rows.sample(frac=1, random_state=0).to_csv(path, index=False)
    assert finished_objective(cfg) == 0.5


@pytest.mark.parametrize("key", ["future_path", "statics", "a folder of parts"])
def test_every_file_of_the_data_group_counts(cfg, tmp_path, key):
    if key == "a folder of parts":
        (tmp_path / "parts").mkdir()
        pd.read_csv(tmp_path / "orders.csv", parse_dates=["ds"]).to_parquet(
            tmp_path / "parts" / "a.parquet"
        )
        cfg.data.path = str(tmp_path / "parts")
        cfg.data.source._target_ = "lanecast.sources.tables.ParquetTable"
        changed = tmp_path / "parts" / "b.parquet"
    elif key == "statics":
        changed = tmp_path / "lanes.csv"
        pd.DataFrame({"unique_id": ["a"], "size": [1.0]}).to_csv(changed, index=False)
        cfg.data.source.statics = str(changed)
        cfg.data.schema.columns.size = {"role": "static"}
    else:
        changed = tmp_path / "future.csv"
        cfg.data.schema.columns.promo = {"role": "known_future"}
        rows = pd.read_csv(tmp_path / "orders.csv").assign(promo=1)
        rows.to_csv(tmp_path / "orders.csv", index=False)
        future = pd.DataFrame({"unique_id": "a", "ds": ["2026-01-21"], "promo": [0.0]})
        future.to_csv(changed, index=False)
        cfg.data.future_path = str(changed)
    finish(cfg)
    assert finished_objective(cfg) == 0.5
    if key == "a folder of parts":
        rows = pd.read_parquet(tmp_path / "parts" / "a.parquet").assign(unique_id="b")
        rows.to_parquet(changed)
    else:
        changed.write_text(changed.read_text().replace("1.0", "2.0").replace(",0.0", ",1.0"))
    with pytest.raises(RunFolderError, match=changed.name):
        finished_objective(cfg)


def test_data_that_are_gone_are_refused_by_name(cfg, tmp_path):
    finish(cfg)
    (tmp_path / "orders.csv").unlink()
    with pytest.raises(RunFolderError, match=r"cannot be read any more: no data at .*orders\.csv"):
        finished_objective(cfg)


@pytest.mark.parametrize("version", [None, SEMANTICS - 1, SEMANTICS + 1])
def test_a_run_of_other_semantics_is_refused_with_both_versions(cfg, version):
    edit(finish(cfg), semantics=version)
    with pytest.raises(RunFolderError, match=rf"semantics {version or 1}, .* under {SEMANTICS}"):
        finished_objective(cfg)


def test_a_record_without_sources_is_taken_with_a_warning(cfg, caplog):
    edit(finish(cfg), sources=None)
    with caplog.at_level(logging.WARNING):
        assert finished_objective(cfg) == 0.5
    assert "does not say which files it read" in caplog.text


def test_an_edited_record_is_not_taken(cfg):
    folder = finish(cfg)
    path = folder / "record.json"
    path.write_text(path.read_text().replace("0.5", "0.1"))
    with pytest.raises(RunFolderError, match=r"record\.json was changed"):
        finished_objective(cfg)
