import pytest

import toy_project

COMPARE = "python scripts/compare.py runs=runs/sweep 'metrics=[objective,seconds]'"


def test_a_failed_job_is_recorded_and_the_others_finish(toy, capfd):
    code = toy("-m", "model=small,large", "seed=1,2", "job=second", "name=sweep")
    records = toy.records("sweep")
    assert code == 1
    assert sorted((record["seed"], record["status"]) for record in records) == [
        (1, "completed"),
        (1, "completed"),
        (2, "failed"),
        (2, "failed"),
    ]
    streams = capfd.readouterr()
    failed = sorted(r["folder"] for r in records if r["status"] == "failed")
    named = ", ".join(str(folder.relative_to(toy.folder)) for folder in reversed(failed))
    assert streams.err.splitlines()[-1] == f"failed: {named} (each record.json holds the trace)"
    last = streams.out.splitlines()[-1]
    assert last == "2 completed, 2 failed; compare with: " + COMPARE
    assert not list((toy.folder / "runs" / "sweep").glob(".sweep-*"))


def test_a_finished_job_says_its_objective_and_its_folder(toy, capfd):
    assert toy("name=one") == 0
    (record,) = toy.records("one")
    folder = record["folder"].relative_to(toy.folder)
    assert f"completed: val/wape 0.25 at step 3; see {folder}\n" in capfd.readouterr().out


def test_batches_after_a_failed_job_still_run(toy):
    batches = "hydra.sweeper.max_batch_size=1"
    assert toy("-m", "seed=2,3", "job=second", "name=sweep", batches) == 1
    assert [record["status"] for record in toy.records("sweep")] == ["failed", "completed"]


def test_a_finished_run_is_refused_and_left_as_it_was(toy, capfd):
    assert toy() == 0
    (record,) = toy.records()
    before = {path: path.read_bytes() for path in record["folder"].rglob("*") if path.is_file()}
    assert toy() == 1
    assert "skip_finished=true" in capfd.readouterr().err
    after = {path: path.read_bytes() for path in record["folder"].rglob("*") if path.is_file()}
    assert after == before


def test_skip_finished_leaves_a_finished_run_and_runs_the_rest(toy, capfd):
    assert toy("seed=1", "name=sweep") == 0
    (first,) = toy.records("sweep")
    assert toy("-m", "seed=1,2", "name=sweep", "skip_finished=true") == 0
    last = capfd.readouterr().out.splitlines()[-1]
    assert last == f"1 completed, 0 failed, 1 skipped; compare with: {COMPARE}"
    again = toy.records("sweep")
    assert [record["status"] for record in again] == ["completed", "completed"]
    assert again[0]["timings"] == first["timings"]


def test_a_failed_run_is_run_again_in_its_folder(toy):
    assert toy("job=second", "seed=2") == 1
    (toy.folder / "scripts" / "train.py").write_text(
        toy_project.SCRIPT.format(verb="train").replace("cfg.seed == 2", "False")
    )
    assert toy("job=second", "seed=2") == 0
    (record,) = toy.records()
    assert record["status"] == "completed"
    assert (record["folder"] / "previous-1" / "previous.json").exists()


def test_a_sweep_over_names_is_compared_over_all_their_folders(toy, capfd):
    assert toy("-m", "name=one,two") == 0
    last = capfd.readouterr().out.splitlines()[-1]
    assert last == (
        "2 completed, 0 failed; compare with: python scripts/compare.py 'runs=[runs/one,runs/two]'"
        " 'metrics=[objective,seconds]'"
    )


def test_a_sweep_without_a_finished_job_has_nothing_to_compare(toy, capfd):
    assert toy("-m", "seed=1,2", "job=wrong", "name=sweep") == 1
    assert capfd.readouterr().out.splitlines()[-1] == "0 completed, 2 failed"


def test_one_job_alone_is_no_sweep(toy, capfd):
    assert toy("name=alone") == 0
    assert "compare with" not in capfd.readouterr().out


LAUNCHERS = {
    "joblib": ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    "submitit": ["hydra/launcher=submitit_local"],
    "ray": ["hydra/launcher=ray", "hydra.launcher.num_cpus=2"],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_jobs_in_other_processes_are_recorded_and_summed_up_too(toy, capfd, launcher):
    assert toy("seed=3", "name=sweep") == 0
    job = ["-m", "seed=1,2,3", "job=second", "name=sweep", "skip_finished=true"]
    assert toy(*job, "+data.again=true", *LAUNCHERS[launcher]) == 1
    assert toy(*job, "+data.again=true", *LAUNCHERS[launcher]) == 1
    assert sorted(record["status"] for record in toy.records("sweep")) == [
        "completed",
        "completed",
        "completed",
        "failed",
    ]
    lines = [line for line in capfd.readouterr().out.splitlines() if "compare with" in line]
    assert lines == [
        f"2 completed, 1 failed; compare with: {COMPARE}",
        f"0 completed, 1 failed, 2 skipped; compare with: {COMPARE}",
    ]
