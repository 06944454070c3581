import csv

import pytest

import toy_project

BAYES = ["-m", "hydra/sweeper=bayes", "data.size=int(interval(1,90))", "name=sweep"]


@pytest.fixture
def hill(toy):
    """The toy's objective is lowest at size 30; a job of size 50 or more may be made to fail."""
    script = toy_project.SCRIPT.format(verb="train")
    script = script.replace("value=0.25", "value=abs(cfg.data.size - 30.0)")
    script = script.replace('cfg.job == "bug"', 'cfg.job == "bug" and cfg.data.size >= 50')
    fuse = 'cfg.job == "fuse" and open("fuse", "a").write("x") and os.path.getsize("fuse") == 3'
    script = script.replace('cfg.job == "sigterm"', fuse)
    (toy.folder / "scripts" / "train.py").write_text(script)
    return toy


def trials(toy):
    with (toy.folder / "runs" / "sweep" / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_search_does_what_was_asked_and_says_the_best(hill, capfd):
    assert hill(*BAYES, "hydra.sweeper.trials=12", "hydra.sweeper.startup=5") == 0
    rows = trials(hill)
    assert len(rows) == 12
    assert all(float(row["value"]) == abs(float(row["data.size"]) - 30) for row in rows)
    best = min(rows, key=lambda row: float(row["value"]))
    assert f"best of 12 trials (0 failed): {float(best['value']):g} with" in capfd.readouterr().out
    assert {row["folder"] for row in rows} == {
        f"{record['folder'].parent.name}/{record['folder'].name}"
        for record in hill.records("sweep")
    }


def test_failed_job_is_a_failed_trial_and_the_search_goes_on(hill, capfd):
    assert hill(*BAYES, "job=bug", "hydra.sweeper.trials=4") == 1
    rows = trials(hill)
    failed = [row for row in rows if row["state"] == "fail"]
    assert len(rows) == 4
    assert 0 < len(failed) < 4
    assert all(float(row["data.size"]) >= 50 and row["value"] == "" for row in failed)
    streams = capfd.readouterr()
    assert "failed: runs/sweep/" in streams.err
    counts = f"{4 - len(failed)} completed, {len(failed)} failed; compare with: python scripts"
    assert streams.out.splitlines()[-1].startswith(counts)


@pytest.mark.parametrize(
    ("value", "job", "words"),
    [
        ('float("nan")', "ok", ["val/wape is undefined in 3 of 3 trials", "optim.objective"]),
        ("0.25", "bug", ["all 3 trials failed", "trials.csv"]),
    ],
)
def test_a_search_without_a_best_trial_says_so_and_fails(toy, capfd, value, job, words):
    script = toy_project.SCRIPT.format(verb="train").replace("value=0.25", f"value={value}")
    (toy.folder / "scripts" / "train.py").write_text(script)
    assert toy(*BAYES, f"job={job}", "hydra.sweeper.trials=3") != 0
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert [word for word in words if word not in lines[0]] == []


def test_a_search_counts_trials_whose_objective_is_undefined(hill, capfd):
    path = hill.folder / "scripts" / "train.py"
    undefined = 'abs(cfg.data.size - 30.0) if cfg.data.size < 50 else float("nan")'
    path.write_text(path.read_text().replace("abs(cfg.data.size - 30.0)", undefined))
    assert hill(*BAYES, "hydra.sweeper.trials=4") == 0
    lost = sum(row["value"] == "" for row in trials(hill))
    assert 0 < lost < 4
    assert f"({lost} failed, {lost} of them with an undefined obj" in capfd.readouterr().out


@pytest.mark.slow
def test_interrupted_search_is_resumed_as_if_nothing_had_happened(hill, tmp_path):
    command = [*BAYES, "hydra.sweeper.trials=6", "hydra.sweeper.startup=3"]
    assert hill(*command, "job=fuse") == 128 + 15
    before = {r["config_hash"]: r for r in hill.records("sweep") if r["status"] == "completed"}
    assert len(before) == 2
    assert hill(*command, "job=fuse") == 0
    after = {record["config_hash"]: record for record in hill.records("sweep")}
    assert {hash_: after[hash_] for hash_ in before} == before
    resumed = [(row["data.size"], row["value"]) for row in trials(hill)]
    hill_again = [*command[:3], "name=straight", *command[4:], "job=fuse"]
    assert hill(*hill_again) == 0
    with (tmp_path / "runs" / "straight" / "trials.csv").open() as file:
        straight = [(row["data.size"], row["value"]) for row in csv.DictReader(file)]
    assert resumed == straight


@pytest.mark.slow
def test_finished_search_runs_nothing_again_and_can_be_extended(hill):
    assert hill(*BAYES, "hydra.sweeper.trials=3") == 0
    first = trials(hill)
    assert hill(*BAYES, "hydra.sweeper.trials=3") == 0
    assert trials(hill) == first
    assert hill(*BAYES, "hydra.sweeper.trials=5") == 0
    assert trials(hill)[:3] == first
    assert len(trials(hill)) == 5


@pytest.mark.slow
def test_equal_trials_of_a_batch_are_one_job(hill):
    few = ["-m", "hydra/sweeper=bayes", "data.size=4,5", "name=sweep"]
    assert hill(*few, "hydra.sweeper.trials=8", "hydra.sweeper.batch=4") == 0
    assert len(trials(hill)) == 8
    assert len(hill.records("sweep")) == 2


def test_backtest_is_no_search(hill, capfd):
    assert hill(*BAYES, verb="backtest") == 2
    assert "sweep train, and backtest the winner once" in capfd.readouterr().err
    assert not hill.records()


def test_objective_that_is_not_of_validation_is_refused(hill, capfd):
    script = hill.folder / "scripts" / "train.py"
    script.write_text(script.read_text().replace('name="val/wape"', 'name="test/wape"'))
    assert hill(*BAYES, "hydra.sweeper.trials=3") == 2
    assert "may not choose by test/wape" in capfd.readouterr().err
    assert len(hill.records("sweep")) == 1
