from functools import partial

import pytest
import torch

from lanecast.checks.bench.steps import Round, Setting, measure, report, synthetic_panel
from lanecast.data.scaling import Scaler
from lanecast.data.windows import WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.losses import Point
from lanecast.models.networks import Linear
from lanecast.models.optimization import Hardware, Optimization


def setting(*, warmup: int = 1, steps: int = 2) -> Setting:
    return Setting(
        network=Linear,
        loss=Point(kind="mae"),
        scaler=Scaler,
        windows=WindowSpec(context=14, horizon=7),
        optim=Optimization(
            optimizer=partial(torch.optim.SGD, lr=1e-3), max_steps=3, batch_size=8, val_steps=0
        ),
        hardware=Hardware(progress=False),
        steps=steps,
        warmup=warmup,
    )


@pytest.mark.parametrize("covariates", [False, True])
def test_measure_times_floor_and_real_fit(covariates: bool) -> None:
    panel = synthetic_panel(num_series=3, num_steps=60, covariates=covariates)
    found = measure(panel, setting())
    assert found.before > 0
    assert found.after > 0
    assert found.ours > found.floor / 10


def test_setting_refuses_a_round_that_times_nothing() -> None:
    with pytest.raises(ConfigError, match="warmup=3 must lie in"):
        setting(warmup=3, steps=2)


def test_report_is_the_median_ratio_of_steady_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    steady = [Round(before=1.0, ours=ours, after=1.0) for ours in (1.0, 1.2, 5.0)]
    moved = Round(before=1.0, ours=99.0, after=2.0)
    assert report([*steady, moved], label="x") == pytest.approx(1.2)
    assert "3 of 4 rounds steady" in capsys.readouterr().out


def test_report_without_a_steady_round_claims_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    ratio = report([Round(before=1.0, ours=1.0, after=2.0)], label="x")
    assert ratio != ratio
    assert "quiet machine" in capsys.readouterr().out
