"""Who gets a run folder, and when its owner counts as gone."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lanecast.errors import RunFolderError
from lanecast.runs import owner as owner_module
from lanecast.runs.folder import claim, read_record, write_record
from lanecast.runs.owner import SILENT, Owner, holder, take

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
LATER = NOW + 2 * SILENT


def left_by(folder: Path, owner: Owner, number: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f".owner-{number}.json").write_text(owner.to_json())
    write_record(folder, {"status": "running", "process": {"pid": owner.pid, "host": owner.host}})


def gone_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def here() -> Owner:
    return Owner.this_process(NOW)


def test_an_owner_survives_its_file():
    assert Owner.from_json(here().to_json()) == here()


@pytest.mark.parametrize(
    ("other", "now", "alive"),
    [
        ({}, NOW, True),
        ({}, LATER, True),  # silent, but seen running
        ({"released": True}, NOW, False),
        ({"pid": 0}, NOW, False),
        ({"started": 1}, NOW, False),  # its pid is another process's by now
        ({"host": "elsewhere"}, NOW, True),
        ({"host": "elsewhere"}, LATER, False),
        ({"boot": "before the reboot"}, NOW, True),
        ({"boot": "before the reboot"}, LATER, False),
        ({"space": "pid:[1]"}, NOW, True),  # another container of this host
        ({"space": "pid:[1]", "pid": 1}, LATER, False),
    ],
)
def test_a_process_is_judged_where_it_is_seen_and_by_its_last_sign_elsewhere(other, now, alive):
    assert replace(here(), **other).is_alive(here(), now) is alive


def test_without_a_process_table_its_last_sign_of_life_counts(monkeypatch):
    monkeypatch.setattr(owner_module, "process_state", lambda pid: None)
    assert here().is_alive(here(), NOW)
    assert not here().is_alive(here(), LATER)


@pytest.mark.parametrize(
    "other", [{"pid": None}, {"started": 1}, {"host": "elsewhere", "beat": NOW - 2 * SILENT}]
)
def test_what_a_killed_process_left_is_taken_and_moved_away(tmp_path, other):
    other = other | ({"pid": gone_pid()} if "pid" in other else {})
    left_by(tmp_path / "run", replace(here(), **other))
    (tmp_path / "run" / "half.parquet").write_text("half")
    assert read_record(tmp_path / "run", now=NOW)["status"] == "interrupted"
    hold = claim(tmp_path / "run", previous=1, now=NOW)
    assert hold.number == 2
    assert (tmp_path / "run" / "previous-1" / "half.parquet").is_file()


def test_a_live_one_is_named_with_host_pid_and_time(tmp_path):
    left_by(tmp_path / "run", replace(here(), host="node-7", pid=4242))
    with pytest.raises(RunFolderError) as refused:
        claim(tmp_path / "run", previous=1, now=NOW + timedelta(seconds=40))
    line = str(refused.value)
    for word in ("4242", "node-7", "2026-12-01 12:00:00", "take_over=true", "40 s", "5 min"):
        assert word in line
    assert "\n" not in line


def test_take_over_takes_what_cannot_be_seen_and_not_what_runs_here(tmp_path):
    left_by(tmp_path / "away", replace(here(), host="node-7"))
    hold = claim(tmp_path / "away", previous=1, now=NOW, take_over=True)
    assert hold.number == 2
    left_by(tmp_path / "here", here())
    with pytest.raises(RunFolderError, match=f"kill {os.getpid()}"):
        claim(tmp_path / "here", previous=1, now=NOW, take_over=True)


def test_who_was_taken_over_writes_no_more(tmp_path):
    (tmp_path / "run").mkdir()
    first = take(tmp_path / "run", now=NOW)
    first.check()
    left_by(tmp_path / "run", replace(here(), host="node-7"), number=2)
    with pytest.raises(RunFolderError, match=r"taken over by process .* on node-7"):
        first.check()
    first.release(NOW)
    newest = holder(tmp_path / "run")
    assert newest.host == "node-7"
    assert not newest.released


def test_a_beat_moves_the_last_sign_of_life_and_a_release_frees_the_folder(tmp_path):
    (tmp_path / "run").mkdir()
    hold = take(tmp_path / "run", now=NOW)
    hold.beat(LATER)
    assert holder(tmp_path / "run").beat == LATER
    hold.release(LATER)
    assert take(tmp_path / "run", now=LATER).number == 2


@pytest.mark.parametrize("text", ["", "{", '{"pid": 1}', "[]", "null", '{"since": "x"}'])
def test_an_owner_that_cannot_be_read_holds_for_a_while(tmp_path, text):
    path = tmp_path / ".owner-1.json"
    path.write_text(text)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    with pytest.raises(RunFolderError, match="unknown host"):
        take(tmp_path, now=written)
    assert take(tmp_path, now=written + SILENT).number == 2


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("before", ["nothing", "a killed run"])
def test_of_many_that_claim_at_once_one_gets_it(tmp_path, monkeypatch, links, before):
    if not links:
        monkeypatch.setattr(owner_module.os, "link", _no_links)
    folder = tmp_path / "run"
    folder.mkdir()
    if before == "a killed run":
        left_by(folder, replace(here(), pid=gone_pid()))
    start, holds, refused = threading.Barrier(12), [], []

    def contend() -> None:
        start.wait()
        try:
            holds.append(take(folder, now=NOW))
        except RunFolderError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=contend) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(holds), len(refused)) == (1, 11)


def _no_links(*_: object) -> None:
    raise OSError(95, "Operation not supported")


def test_a_record_of_an_earlier_lanecast_is_judged_by_its_process(tmp_path):
    left_by(tmp_path, here())
    (tmp_path / ".owner-1.json").unlink()
    assert read_record(tmp_path)["status"] == "running"
    with pytest.raises(RunFolderError, match="take_over=true"):
        claim(tmp_path, previous=1)
    assert claim(tmp_path, previous=1, take_over=True).number == 1


CONTENDER = """
import sys, json
from datetime import UTC, datetime
from pathlib import Path
from lanecast.errors import RunFolderError
from lanecast.runs.folder import claim, write_record
sys.stdin.readline()
folder = Path(sys.argv[1])
try:
    hold = claim(folder, previous=1)
except RunFolderError as refused:
    print(json.dumps(str(refused)))
else:
    with (folder / "rows.csv").open("a") as file:
        file.write("row\\n")
    write_record(folder, {"status": "completed"})
    hold.release(datetime.now(UTC))
    print(json.dumps(None))
"""


def test_of_twenty_processes_one_writes_the_rows_and_the_rest_say_why(tmp_path):
    folder = tmp_path / "run"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(20)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [json.loads(process.communicate()[0]) for process in processes]
    assert answers.count(None) == 1
    assert all("being written" in line or "finished" in line for line in answers if line)
    assert (folder / "rows.csv").read_text() == "row\n"
