from copy import deepcopy
from dataclasses import replace
from functools import partial

import pytest
import torch

from benchmarks.speed import steps
from benchmarks.speed.cases import SpeedCase, synthetic_panel
from benchmarks.speed.rounds import Round, figure, interleaved
from benchmarks.speed.steps import Setting, floor_of, ours_of
from benchmarks.speed.table import markdown, merged
from benchmarks.speed.verb import grown
from lanecast.data.scaling import Scaler
from lanecast.data.windows import WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.deep.losses import Point
from lanecast.models.deep.networks.base import Linear
from lanecast.models.deep.optimization import Hardware, Optimization


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
def test_floor_and_real_fit_are_timed(covariates: bool) -> None:
    panel = synthetic_panel(num_series=3, num_steps=60, covariates=covariates)
    floor, ours = floor_of(panel, setting()), ours_of(panel, setting())
    found = figure(interleaved(floor=floor, lanecast=ours, neuralforecast=None, rounds=1))
    assert found.rounds == 1
    assert floor() > 0
    assert ours() > floor() / 10


def test_the_real_fit_takes_the_very_steps_of_the_floor() -> None:
    """Exact parity: the same first weights and batches, hence the same weights after the steps."""
    panel = synthetic_panel(num_series=3, num_steps=60, covariates=True)
    plain = setting(steps=3)
    data = steps._data(panel, plain, until=panel.last_step)
    module = steps._module(panel, plain, until=panel.last_step)
    module.plan = replace(module.plan, schedule="constant", clip=None)
    mirror = deepcopy(module)
    optimizer = plain.optim.optimizer(mirror.network.parameters())
    for step in range(plain.warmup + plain.steps):
        windows, label = data.train_batch(step)
        scaled, scale = mirror.scaler.transform(windows)
        y_BH = mirror.scaler.scale_target(label.y_BH, scale)
        optimizer.zero_grad()
        mirror.loss(mirror.network(scaled), y_BH, label.seen_BH.float()).backward()
        optimizer.step()
    steps._ours(module, data, replace(plain, optim=module.plan))
    for mine, theirs in zip(module.network.parameters(), mirror.network.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_setting_refuses_a_round_that_times_nothing() -> None:
    with pytest.raises(ConfigError, match="warmup=3 must lie in"):
        setting(warmup=3, steps=2)


def test_a_figure_is_the_median_ratio_of_steady_rounds() -> None:
    steady = [
        Round(before=1.0, lanecast=x, neuralforecast=2 * x, after=1.0) for x in (1.0, 1.2, 5.0)
    ]
    moved = Round(before=1.0, lanecast=99.0, after=2.0)
    found = figure([*steady, moved])
    assert found.ratio_to_floor == pytest.approx(1.2)
    assert found.neuralforecast_to_ours == pytest.approx(2.0)
    assert (found.rounds, found.discarded) == (4, 1)


def test_a_figure_without_a_steady_round_claims_nothing() -> None:
    found = figure([Round(before=1.0, lanecast=1.0, after=2.0)])
    assert found.ratio_to_floor != found.ratio_to_floor


def test_a_case_is_read_from_its_name() -> None:
    assert SpeedCase.of("30000x200+") == SpeedCase(series=30000, steps=200, covariates=True)
    with pytest.raises(ConfigError, match="1000x1000"):
        SpeedCase.of("many")


def test_rows_of_the_same_case_replace_older_ones(tmp_path) -> None:
    row = {"case": "1x1", "covariates": "none", "network": "nhits", "windows": 1}
    row |= {"precision": "fp32", "figure": "train_step", "ours": 1.0, "rounds": 1}
    first = merged(tmp_path / "table.csv", [row, {**row, "windows": 2}])
    first.to_csv(tmp_path / "table.csv", index=False)
    again = merged(tmp_path / "table.csv", [{**row, "ours": 3.0}])
    assert sorted(again["ours"]) == [1.0, 3.0]
    assert "| 1x1 | none |" in markdown(again)


def test_the_guard_names_what_became_slower() -> None:
    row = {"case": "1x1", "covariates": "none", "network": "nhits", "windows": 512}
    row |= {"figure": "train_step", "ratio_to_floor": 1.3, "precision": "fp32"}
    assert grown([row], {"1x1 none nhits 512 train_step": 1.25}, margin=0.1) == []
    (told,) = grown([row], {"1x1 none nhits 512 train_step": 1.1}, margin=0.1)
    assert "1.300" in told
    with pytest.raises(ConfigError, match="no committed figure"):
        grown([row], {}, margin=0.1)
