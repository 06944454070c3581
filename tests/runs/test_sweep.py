"""A sweep knows how its jobs ended, also those that were killed, and how they are compared."""

import json
import os
import socket
import subprocess
import sys

import pytest

from lanecast.runs.folder import write_record
from lanecast.runs.sweep import Sweep, SweepJob, compare_command, end_of_sweep, failed_jobs, summary

COMPARE = "lanecast compare"
METRICS = " 'metrics=[objective,seconds]'"


def record(folder, **facts):
    folder.mkdir(parents=True)
    write_record(folder, {"status": "completed", "choices": {"model": "nhits"}, **facts})
    return folder


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield Sweep.begin(tmp_path / "runs" / "sweep")
    end_of_sweep()


def test_a_sweep_is_closed_once_and_leaves_no_notes(sweep):
    sweep.note(0, sweep.folder / "a", "completed")
    assert [job.status for job in end_of_sweep()] == ["completed"]
    assert end_of_sweep() is None
    assert list(sweep.folder.iterdir()) == []


def test_the_last_word_on_a_job_counts_and_jobs_stand_in_their_order(sweep):
    for number in (10, 2, 1):
        sweep.note(number, sweep.folder / str(number), "running")
        sweep.note(number, sweep.folder / str(number), "failed" if number == 2 else "completed")
    jobs = sweep.jobs()
    assert [(job.number, job.status) for job in jobs] == [
        (1, "completed"),
        (2, "failed"),
        (10, "completed"),
    ]
    assert failed_jobs(jobs) == "failed: runs/sweep/2 (each record.json holds the trace)"


def test_a_job_that_was_killed_counts_as_interrupted(sweep):
    gone = subprocess.Popen(["true"])
    gone.wait()
    process = {"pid": gone.pid, "host": socket.gethostname()}
    killed = record(sweep.folder / "a" / "seed1", status="running", process=process)
    sweep.note(0, killed, "running")
    sweep.note(1, sweep.folder / "a" / "seed2", "running")  # before it could write a record
    assert [job.status for job in sweep.jobs()] == ["interrupted", "interrupted"]


def test_a_job_that_still_runs_is_said_to_run(sweep):
    process = {"pid": os.getpid(), "host": socket.gethostname()}
    sweep.note(0, record(sweep.folder / "a" / "s", status="running", process=process), "running")
    assert summary(sweep.jobs(), compare=COMPARE) == "0 completed, 0 failed, 1 running"


@pytest.mark.parametrize(
    ("facts", "metrics"),
    [({"scores": {"wape": 0.1}}, ""), ({"objective": {"value": 0.1}}, METRICS)],
)
def test_runs_are_compared_by_their_scores_or_else_by_their_objective(sweep, facts, metrics):
    folder = record(sweep.folder / "a" / "seed1", **facts)
    jobs = [SweepJob(number=0, folder=folder, status="completed")]
    assert compare_command(jobs, compare=COMPARE) == f"{COMPARE} runs=runs/sweep{metrics}"


def test_runs_without_a_number_are_not_compared(sweep):
    """A verb that keeps no record, and one whose record holds nothing to rank by."""
    bare = sweep.folder / "bare" / "seed1"
    bare.mkdir(parents=True)
    folders = [bare, record(sweep.folder / "forecast" / "seed1", objective=None)]
    jobs = [
        SweepJob(number=n, folder=folder, status="completed") for n, folder in enumerate(folders)
    ]
    assert summary(jobs, compare=COMPARE) == "2 completed, 0 failed"


def test_a_sweep_without_jobs_says_nothing(sweep):
    assert summary(sweep.jobs(), compare=COMPARE) is None


def test_notes_are_written_by_other_processes_from_the_place_alone(sweep):
    """What travels to a worker is the callback, and with it two paths."""
    place = json.dumps([str(sweep.folder), str(sweep.journal)])
    worker = (
        "import json, sys; from pathlib import Path; from lanecast.runs.sweep import Sweep;"
        "folder, journal = map(Path, json.loads(sys.argv[1]));"
        "Sweep(folder, journal).note(4, folder / 'x', 'completed')"
    )
    subprocess.run([sys.executable, "-c", worker, place], check=True)
    assert [job.number for job in sweep.jobs()] == [4]
