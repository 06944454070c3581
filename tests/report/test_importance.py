import optuna
import pytest

from lanecast.report.importance import importance_figure, importances, write_trials


@pytest.fixture
def study():
    """Only ``x`` matters, ``y`` does not; one trial failed."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(
        lambda trial: trial.suggest_float("x", 0, 1) ** 2 + 0 * trial.suggest_float("y", 0, 1), 40
    )
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    return study


def test_parameter_that_matters_comes_first(study):
    shares = importances(study)
    assert list(shares) == ["x", "y"]
    assert shares["x"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_picture_is_written(study, tmp_path):
    path = importance_figure(study, tmp_path / "importance.png")
    assert path is not None
    assert path.read_bytes().startswith(b"\x89PNG")


def test_too_few_trials_have_no_importance(tmp_path):
    study = optuna.create_study()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), 3)
    assert importance_figure(study, tmp_path / "importance.png") is None
    assert not list(tmp_path.iterdir())


def test_every_trial_is_a_row(study, tmp_path):
    rows = write_trials(study.trials, tmp_path / "trials.csv").read_text().splitlines()
    assert rows[0] == "trial,state,value,folder,x,y"
    assert len(rows) == 42
    assert rows[-1].startswith("40,fail,,")
