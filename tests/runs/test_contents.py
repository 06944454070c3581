"""A finished run lists its files; what is not as listed is told, and drafts are whole or gone."""

import json
import logging

import pytest

from lanecast.errors import CheckpointError, RunFolderError
from lanecast.runs.contents import check_files, damages, doubts, is_edited, readable, replaced
from lanecast.runs.record import Run, read_record
from lanecast.runs.semantics import SEMANTICS


@pytest.fixture
def folder(tmp_path):
    cfg = {"verb": "train", "seed": 1, "paths": {"output": str(tmp_path / "run")}}
    with Run.open(cfg) as run:
        run.log(0, **{"val/wape": 0.5})
        (run.folder / "model").mkdir()
        (run.folder / "model" / "weights.bin").write_bytes(bytes(range(200)))
        (run.folder / "forecasts.parquet").write_bytes(b"PAR1 rows PAR1")
        (run.folder / "train.log").write_text("not a part")
    return run.folder


def test_a_completed_record_lists_its_files_and_its_semantics(folder):
    record = read_record(folder)
    names = {"model/weights.bin", "forecasts.parquet", "metrics.csv"}
    assert names < set(record["files"])
    assert all(name in names or name.startswith(".hydra/") for name in record["files"])
    assert record["files"]["model/weights.bin"]["size"] == 200
    assert record["semantics"] == SEMANTICS
    assert not is_edited(record)
    assert list(damages(folder, record, "model", "forecasts.parquet", ".hydra")) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "has 199 bytes, not the 200"),
        (lambda path: path.write_bytes(b""), "has 0 bytes"),
        (lambda path: path.write_bytes(b"\0" + path.read_bytes()[1:-1] + b"\0"), "sha256"),
        (lambda path: path.unlink(), "is gone"),
    ],
)
def test_a_file_that_is_not_as_it_was_left_is_refused_with_path_and_way_out(folder, damage, words):
    damage(folder / "model" / "weights.bin")
    record = read_record(folder)
    with pytest.raises(CheckpointError, match=rf"weights\.bin .*{words}.*repeat the run"):
        check_files(folder, record, "model", refused=CheckpointError)
    check_files(folder, record, "forecasts.parquet")


def test_a_folder_that_lists_nothing_is_read_with_a_warning(folder, caplog):
    record = read_record(folder)
    del record["files"]
    with caplog.at_level(logging.WARNING):
        check_files(folder, record, "model")
    assert "lists no checksums" in caplog.text


def test_an_edited_record_is_seen_and_a_rewritten_one_is_not(folder):
    path = folder / "record.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))
    assert is_edited(read_record(folder))
    (line,) = doubts(folder)
    assert "record.json was changed" in line
    record = json.loads(path.read_text())
    del record["sha256"]
    path.write_text(json.dumps(record))
    assert doubts(folder) == []  # of an earlier lanecast


def test_whatever_a_reader_raises_is_one_line(tmp_path):
    for broken in (ValueError("a\nb"), KeyError("x"), EOFError(), IndexError("at 3")):
        match = pytest.raises(RunFolderError, match=r"rows\.csv cannot be read")
        with match as refused, readable(tmp_path / "rows.csv"):
            raise broken
        assert "\n" not in str(refused.value)
    with pytest.raises(CheckpointError, match="of its own"), readable(tmp_path / "rows.csv"):
        raise CheckpointError("a line of its own")


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_draft_takes_its_name_whole_or_not_at_all(tmp_path, is_folder):
    def write(draft):
        if is_folder:
            draft.mkdir()
            draft = draft / "inside"
        draft.write_text("whole")

    def stop() -> None:
        with replaced(tmp_path / "table") as draft:
            write(draft)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []
    with replaced(tmp_path / "table") as draft:
        write(draft)
        assert not (tmp_path / "table").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["table"]


def test_what_a_killed_draft_left_is_removed_by_the_next(tmp_path):
    with replaced(tmp_path / "table") as draft:
        draft.write_text("new")
        left = draft.with_name(draft.name.rpartition("-")[0] + "-0")
        left.write_text("of a process that is gone")
    with replaced(tmp_path / "table") as draft:
        draft.write_text("newer")
    assert [path.name for path in tmp_path.iterdir()] == ["table"]
