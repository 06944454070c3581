import pytest

import toy_project


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
    told = capfd.readouterr().err.splitlines()
    assert told[-1].startswith("2 of 4 jobs failed: runs/sweep/")
    assert not list((toy.folder / "runs" / "sweep").glob(".jobs-*"))


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


def test_skip_finished_leaves_a_finished_run_and_runs_the_rest(toy):
    assert toy("seed=1", "name=sweep") == 0
    (first,) = toy.records("sweep")
    assert toy("-m", "seed=1,2", "name=sweep", "skip_finished=true") == 0
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


@pytest.mark.slow
def test_jobs_in_other_processes_are_recorded_and_summed_up_too(toy, capfd):
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    assert toy("-m", "seed=1,2", "job=second", "name=sweep", *launcher) == 1
    assert [record["status"] for record in toy.records("sweep")] == ["completed", "failed"]
    assert "1 of 2 jobs failed" in capfd.readouterr().err
