"""Budget, schedule and hardware: what cannot be meant is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from lanecast.errors import ConfigError
from lanecast.models.deep.optimization import SCHEDULES, Hardware, Optimization
from small_models import plan


def rates(schedule: str, steps: int = 10) -> list[float]:
    """Learning rate of every step."""
    configured = plan(schedule=schedule).configure(nn.Linear(1, 1).parameters(), steps)
    optimizer, found = configured["optimizer"], []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if "lr_scheduler" in configured:
            configured["lr_scheduler"]["scheduler"].step()
    return found


def test_constant_schedule_keeps_the_rate() -> None:
    assert rates("constant") == [1e-2] * 10


def test_cosine_schedule_falls_to_nearly_nothing_over_the_budget() -> None:
    found = rates("cosine")
    assert found[0] == pytest.approx(1e-2)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.03 * found[0]


def test_onecycle_rises_to_the_rate_and_falls_again() -> None:
    found = rates("onecycle")
    assert max(found) == pytest.approx(1e-2)
    assert found.index(max(found)) == 1
    assert found[-1] < found[0] < max(found)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_move_by_step(schedule: str) -> None:
    configured = plan(schedule=schedule).configure(nn.Linear(1, 1).parameters(), 10)
    assert configured.get("lr_scheduler", {"interval": "step"})["interval"] == "step"


def wrong() -> Iterator[tuple[dict[str, Any], str]]:
    yield {"schedule": "linear"}, "optim.schedule='linear' is not one of"
    yield {"objective": "wape"}, "optim.objective='wape' is not one of"
    for name in ("max_steps", "batch_size", "val_every", "patience"):
        yield {name: 0}, f"optim.{name}=0 must be at least 1"
    yield {"val_steps": -1}, "optim.val_steps=-1 must be at least 0"
    yield {"val_stride": 0}, "optim.val_stride=0 must be at least 1"


@pytest.mark.parametrize(("changes", "message"), list(wrong()))
def test_what_cannot_be_meant_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(**changes)
    assert message in str(caught.value)


def test_optimizer_is_the_one_of_the_plan() -> None:
    configured = plan(schedule="constant").configure(nn.Linear(1, 1).parameters(), 3)
    assert isinstance(configured["optimizer"], torch.optim.Adam)
    assert Optimization.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_hardware_names_the_device_and_sets_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    Hardware().set_threads()
    Hardware(threads=3).set_threads()
    assert seen == [3]
    assert Hardware().device().type == "cpu"
    assert Hardware(accelerator="gpu").device() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Hardware(accelerator="gpu").device() == torch.device("cuda", 1)


def test_step_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.step_limit=0 must be at least 1, or null"):
        Hardware(step_limit=0)


def test_accelerator_that_the_panel_cannot_lie_on_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.accelerator='mps' is not one of cpu, gpu"):
        Hardware(accelerator="mps")
