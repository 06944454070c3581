"""Through the script: runs are listed as one asks, and deleted where one names them."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from lanecast.runs.folder import write_record
from script_runner import scripts_in


@pytest.fixture
def script(tmp_path, monkeypatch):
    with scripts_in(tmp_path, monkeypatch) as run:
        yield run


@pytest.fixture(autouse=True)
def _shelf(tmp_path):
    """Three runs: (name, model, status, days ago, bytes)."""
    for name, model, status, days, size in (
        ("old", "linear", "completed", 40, 3_000_000),
        ("new", "nhits", "completed", 2, 1_000_000),
        ("new", "linear", "failed", 1, 100_000),
    ):
        folder = tmp_path / "runs" / name / f"{model}-flights-0" / "seed1"
        folder.mkdir(parents=True)
        (folder / "forecasts.parquet").write_bytes(bytes(size))
        started = datetime.now(UTC) - timedelta(days=days)
        objective = {"name": "val/wape", "value": days / 100, "step": None}
        facts = {
            "status": status,
            "verb": "train",
            "name": name,
            "seed": 1,
            "choices": {"model": model, "data": "flights"},
            "objective": None if status == "failed" else objective,
            "timings": {"started": started.isoformat()},
        }
        write_record(folder, facts)


def listed(capfd):
    """Run folders of the table, in order, and its last line."""
    lines = capfd.readouterr().out.splitlines()
    rows = [line.split()[0].removeprefix("runs/") for line in lines if line.startswith("runs/")]
    return [row.removesuffix("-flights-0/seed1") for row in rows], lines[-1]


def test_runs_are_listed_newest_last_with_their_sizes(script, capfd):
    assert script("runs") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == [
        "folder", "verb", "model", "data", "status", "objective", "seed", "started", "MB",
    ]  # fmt: skip
    assert re.fullmatch(
        r"runs/old/linear-flights-0/seed1 +train +linear +flights +completed +val/wape 0\.4 +1"
        r" +\d{4}-\d\d-\d\d \d\d:\d\d +3\.0",
        lines[1],
    )
    assert [line.split()[2] for line in lines[1:4]] == ["linear", "nhits", "linear"]
    assert lines[4:] == ["3 runs, 4.1 MB"]


@pytest.mark.parametrize(
    ("overrides", "folders"),
    [
        (["status=failed"], ["new/linear"]),
        (["status=[failed,interrupted]"], ["new/linear"]),
        (["model=linear"], ["old/linear", "new/linear"]),
        (["model=linear", "status=completed"], ["old/linear"]),
        (["data=flights", "name=n*"], ["new/nhits", "new/linear"]),
        (["folder='*/nhits-*'"], ["new/nhits"]),
        (["older_than=P30D"], ["old/linear"]),
        (["newer_than=PT36H"], ["new/linear"]),
        (["newer_than=1w", "sort=size"], ["new/nhits", "new/linear"]),
        (["sort=size"], ["old/linear", "new/nhits", "new/linear"]),
        (["sort=objective"], ["new/nhits", "old/linear", "new/linear"]),
        (["sort=folder"], ["new/linear", "new/nhits", "old/linear"]),
    ],
)
def test_filters_and_orders(script, capfd, overrides, folders):
    assert script("runs", *overrides) == 0
    assert listed(capfd)[0] == folders


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["status=faild"], "status=faild is none of completed, failed"),
        (["sort=age"], "sort=age is none of started, size"),
        (["older_than=30"], "older_than=30 is not an ISO duration"),
        (["model=nhitz"], "did you mean nhits"),
        (["delete=true"], "would delete all 3 runs, 4.1 MB below runs; add a filter"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(script, capfd, tmp_path, overrides, message):
    assert script("runs", *overrides) == 2
    told = capfd.readouterr()
    assert message in told.err
    assert (told.err.count("\n"), told.out) == (1, "")
    assert len(list(tmp_path.rglob("record.json"))) == 3


def test_what_is_named_is_deleted_and_the_rest_stays(script, capfd, tmp_path):
    assert script("runs", "older_than=P30D", "delete=true") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[-2:] == [
        "deleted runs/old/linear-flights-0/seed1",
        "deleted 1 run, 3.0 MB, which is free now",
    ]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["new"]
    assert script("runs", "delete=true", "all=true") == 0
    assert list((tmp_path / "runs").iterdir()) == []
    assert script("runs") == 0
    assert capfd.readouterr().out.endswith("no run below runs\n")


def test_a_run_that_is_being_written_stays_and_the_command_fails(script, capfd, tmp_path):
    folder = tmp_path / "runs" / "busy" / "tft-flights-0" / "seed1"
    folder.mkdir(parents=True)
    elsewhere = {"pid": 1, "host": "another-host"}  # cannot be asked whether it still lives
    write_record(folder, {"status": "running", "process": elsewhere})
    assert script("runs", "delete=true", "all=true") == 1
    told = capfd.readouterr()
    assert "deleted 3 runs" in told.out
    assert "1 of 4 stay" in told.err
    assert list(tmp_path.rglob("record.json")) == [folder / "record.json"]
