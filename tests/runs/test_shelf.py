"""Run folders are found, weighed and taken away, and nothing else is."""

import os
import socket

import pytest

from lanecast.errors import RunFolderError
from lanecast.runs.folder import write_record
from lanecast.runs.shelf import delete, entries


@pytest.fixture
def shelve(tmp_path):
    """Write a run folder of 1,000 bytes beside its record."""

    def write(path, **facts):
        folder = tmp_path / "runs" / path
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "best.ckpt").write_bytes(bytes(1000))
        write_record(folder, {"status": "completed", "seed": 1, **facts})
        return folder

    return write


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


def only(root):
    (entry,) = entries(root)
    return entry


def test_a_run_is_found_with_its_facts_and_all_its_bytes(shelve, root):
    choices = {"model": "nhits", "data": "flights"}
    folder = shelve("demo/nhits-flights-0/seed1", name="demo", verb="train", choices=choices)
    (folder / "previous-1").mkdir()
    (folder / "previous-1" / "previous.json").write_bytes(bytes(500))
    entry = only(root)
    assert entry.folder == folder
    assert [entry.fact(name) for name in ("name", "verb", "model", "data", "seed")] == [
        "demo", "train", "nhits", "flights", "1",
    ]  # fmt: skip
    assert entry.bytes == 1500 + (folder / "record.json").stat().st_size


def test_a_record_that_cannot_be_read_is_listed_as_such(shelve, root):
    folder = shelve("a/b/seed1")
    (folder / "record.json").write_text("{")
    entry = only(root)
    assert entry.status == "unreadable"
    assert entry.fact("model") == ""
    assert entry.started.tzinfo is not None


def test_links_are_not_followed(shelve, root, tmp_path):
    elsewhere = shelve("../elsewhere/a/seed1")
    shelve("a/b/seed1")
    (root / "a" / "linked").symlink_to(elsewhere.parent)
    (root / "a" / "b" / "seed1" / "big").symlink_to(elsewhere / "checkpoints" / "best.ckpt")
    assert [entry.folder for entry in entries(root)] == [root / "a" / "b" / "seed1"]
    assert only(root).bytes < 2000
    delete(only(root), root=root)
    assert (elsewhere / "checkpoints" / "best.ckpt").is_file()
    assert (root / "a" / "linked").is_symlink()


def test_a_run_is_deleted_with_the_folders_that_are_empty_then(shelve, root):
    shelve("a/b/seed1")
    other = shelve("a/c/seed1")
    delete(entries(root)[0], root=root)
    assert not (root / "a" / "b").exists()
    assert other.is_dir()
    delete(only(root), root=root)
    assert root.is_dir()
    assert list(root.iterdir()) == []


def test_a_run_that_is_being_written_is_left(shelve, root):
    process = {"pid": os.getpid(), "host": socket.gethostname()}
    folder = shelve("a/b/seed1", status="running", process=process)
    with pytest.raises(RunFolderError, match=rf"being written by process {os.getpid()} on"):
        delete(only(root), root=root)
    assert (folder / "checkpoints" / "best.ckpt").is_file()


def test_what_is_no_run_below_the_root_is_not_deleted(shelve, root, tmp_path):
    folder = shelve("a/b/seed1")
    with pytest.raises(RunFolderError, match="does not lie below"):
        delete(only(folder), root=folder)
    (tmp_path / "other").symlink_to(root / "a")
    outside = entries(tmp_path / "other")[0]
    (tmp_path / "wide").mkdir()
    (tmp_path / "wide" / "in").symlink_to(root / "a")
    through = type(outside)(folder=tmp_path / "wide/in/b/seed1", record={}, bytes=0)
    with pytest.raises(RunFolderError, match="a link is not followed"):
        delete(through, root=tmp_path / "wide")
    (folder / "record.json").unlink()
    with pytest.raises(RunFolderError, match=r"has no record\.json"):
        delete(outside, root=tmp_path / "other")
    assert (folder / "checkpoints" / "best.ckpt").is_file()
