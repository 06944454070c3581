import signal
import sys

import pytest

from lanecast.cli.entry import overrides_first
from lanecast.runs.stopping import RunInterrupted, interruptible


@pytest.mark.parametrize(
    ("argument", "answer"),
    [
        ("modle=large", "did you mean model?"),
        ("model=larg", "did you mean large"),
        ("sed=2", "did you mean seed?"),
        ("model.widht=3", "did you mean model.width?"),
        ("trainer.thread=1", "did you mean trainer.threads?"),
        ("seed=[1", "cannot read 'seed=[1'"),
        ("seed", "cannot read 'seed'"),
        ("name=../up", "name='../up' cannot name a folder"),
        ("run=nowhere", "nowhere/record.json does not exist"),
        ("data.size=${perod}", "perod"),
    ],
)
def test_a_wrong_override_is_answered_in_one_message_before_any_folder(
    toy, capfd, argument, answer
):
    assert toy(argument) == 2
    told = capfd.readouterr().err
    assert answer in told
    assert told.count("\n") == 1
    assert "Traceback" not in told
    assert not (toy.folder / "runs").exists()


def test_all_wrong_overrides_are_told_at_once_also_in_a_sweep(toy, capfd):
    assert toy("-m", "model=small,larg", "sed=1,2", "model.depht=1") == 2
    told = capfd.readouterr().err
    assert "did you mean large" in told
    assert "did you mean seed?" in told
    assert "model.depht" in told


def test_several_processes_are_refused_in_a_sweep_before_a_job_starts(toy, capfd):
    assert toy("-m", "seed=1,2", "+trainer.devices=2", "name=sweep") == 1
    assert "trainer.devices=2 does not work with -m" in capfd.readouterr().out
    assert [record["status"] for record in toy.records("sweep")] == ["failed", "failed"]
    assert not list((toy.folder / "runs").rglob("metrics.csv"))
    assert toy("seed=1", "+trainer.devices=2", "name=alone") == 0


def test_options_may_stand_between_overrides(toy):
    assert toy("model=large", "-m", "seed=1,2", "name=sweep") == 0
    assert len(toy.records("sweep")) == 2
    words = ["model=large", "--cfg", "job", "-p", "model", "~seed", "--info", "a=1"]
    ordered = ["model=large", "~seed", "a=1", "--cfg", "job", "-p", "model", "--info"]
    assert overrides_first(words) == ordered


def test_a_key_of_a_chosen_model_is_valid_wherever_the_choice_stands(toy, capfd):
    assert toy("model.depth=4", "sed=1", "model=large") == 2
    assert "depth" not in capfd.readouterr().err


def test_a_foreign_target_is_refused_and_recorded(toy, capfd):
    assert toy("+model._target_=os.system") == 2
    assert "model._target_='os.system'" in capfd.readouterr().err
    assert [record["status"] for record in toy.records()] == ["failed"]


def test_a_lanecast_error_is_told_without_a_trace_and_recorded_with_it(toy, capfd):
    assert toy("job=wrong") == 1
    assert capfd.readouterr().err == "error: 'y' is missing; supply it\n"
    (record,) = toy.records()
    assert record["status"] == "failed"
    assert "Traceback" in record["error"]


def test_a_bug_is_told_with_its_trace(toy, capfd):
    assert toy("job=bug") == 1
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_full_errors_show_the_trace_of_a_lanecast_error(toy, capfd, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert toy("job=wrong") == 1
    assert "Traceback" in capfd.readouterr().err


def test_numexpr_does_not_announce_its_threads(toy, capfd, monkeypatch):
    """Pandas loads it in nearly every job; it is silent only where the user has configured it."""
    monkeypatch.delenv("NUMEXPR_MAX_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # so that the job's change is taken back
    assert toy("job=numexpr") == 0
    told = capfd.readouterr()
    assert "completed" in told.out
    assert "NumExpr" not in told.out + told.err


def test_sigterm_leaves_an_interrupted_record_and_its_exit_code(toy):
    assert toy("job=sigterm") == 128 + signal.SIGTERM
    (record,) = toy.records()
    assert record["status"] == "interrupted"
    assert "0.25" in (record["folder"] / "metrics.csv").read_text()


def test_sigterm_ends_a_sweep_which_says_how_it_goes_on(toy, capfd):
    assert toy("-m", "job=well,sigterm", "seed=1", "name=stopped") == 128 + signal.SIGTERM
    assert toy("-m", "job=sigterm", "seed=1,2,3", "name=alone") == 128 + signal.SIGTERM
    assert len(toy.records("alone")) == 1
    summed_up = [line for line in capfd.readouterr().out.splitlines() if "interrupted;" in line]
    goes_on = "the same command with skip_finished=true goes on"
    assert summed_up == [
        f"1 completed, 0 failed, 1 interrupted; {goes_on}; compare with: python scripts/compare.py"
        " runs=runs/stopped 'metrics=[objective,seconds]'",
        f"0 completed, 0 failed, 1 interrupted; {goes_on}",
    ]
    assert not list((toy.folder / "runs").glob("*/.sweep-*"))


@pytest.fixture
def _signals():
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.usefixtures("_signals")
def test_lightnings_exit_after_ctrl_c_counts_as_an_interruption():
    def fit():
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)

    with pytest.raises(RunInterrupted), interruptible():
        fit()


def test_an_exit_of_its_own_passes_through():
    with pytest.raises(SystemExit), interruptible():
        raise SystemExit(3)


def test_help_names_purpose_groups_and_options_without_composing(toy, capfd):
    (toy.folder / "conf" / "data" / "toy.yaml").unlink()
    assert toy("--help") == 0
    told = capfd.readouterr().out
    assert told.startswith("train a toy.")
    assert " large," in told
    assert " small*," in told
    assert "skip_finished=true" in told


def test_unwritable_place_is_told_with_the_way_out(toy, capfd):
    (toy.folder / "file").touch()
    assert toy("paths.runs=file/runs") == 1
    told = capfd.readouterr().err
    assert "file/runs" in told
    assert "paths.runs=<folder>" in told


NUMBERS = ["1e5", "1_000", "007", "2024-01-01", "on", "true", "null", "1.50", "0x10", "1e5-a"]


@pytest.mark.parametrize("name", NUMBERS)
def test_a_name_that_looks_like_a_number_stays_as_it_was_typed(toy, name):
    assert toy(f"name={name}") == 0
    (record,) = toy.records()
    assert record["name"] == name
    assert record["folder"].relative_to(toy.folder / "runs").parts[0] == name


def test_a_sweep_keeps_the_name_that_was_typed(toy):
    assert toy("-m", "seed=1,2", "name=1e5") == 0
    assert [record["name"] for record in toy.records("1e5")] == ["1e5", "1e5"]
    assert toy("name=1e3,1_0,run", "seed=3", "-m") == 0
    names = {record["name"] for record in toy.records()}
    assert names == {"1e5", "1e3", "1_0", "run"}


def test_an_ordinary_name_is_recorded_without_quotes(toy):
    assert toy("name=first") == 0
    assert toy.records()[0]["overrides"] == ["name=first"]
