"""The verb *costs*: seconds of one fit and one forecast of each model, over seasonal_naive's."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.config import composed_roots, instantiate, packaged_conf
from lanecast.workflows.models import WITH_SUMS, model_rows

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel

FLOOR = "seasonal_naive"
GAPPY = 3  # of `example_panel`: the series that some models refuse
LONG, ROUNDS = 4.0, 3  # seconds after which no round follows the second; repetitions of others
QUANTILES, SAMPLES = (0.1, 0.5, 0.9), 100
# Where a model keeps the number of its training steps.
BUDGETS = ("optim.max_steps", "model.max_steps")
QUIET = (
    "trainer.threads=1",
    "trainer.progress=false",
    WITH_SUMS,
    "hierarchy.structure.levels=[[]]",
)


def run(cfg: DictConfig) -> float:
    """Write ``cfg.out``; the result is the number of models."""
    import torch

    from lanecast.testing import example_panel

    torch.set_num_threads(1)
    panel = example_panel(steps=int(cfg.days), lengths=(int(cfg.days),) * (int(cfg.series) + 1))
    panel = panel.select([number for number in range(panel.num_series) if number != GAPPY])
    names = [row.name for row in model_rows(only=cfg.only) if row.missing is None]
    seconds: dict[str, float] = {}
    for name in dict.fromkeys([FLOOR, *names]):
        seconds[name] = cost_of(name, panel, budgets=list(cfg.budgets))
        print(f"{name}: {seconds[name]:.3g} s, {seconds[name] / seconds[FLOOR]:.3g} x", flush=True)
        write(seconds, cfg)
    return float(len(seconds))


def cost_of(name: str, panel: Panel, *, budgets: Sequence[int]) -> float:
    """Seconds of a fit and a forecast as configured, on one thread.

    Of a model that trains by steps two short budgets are timed, and its own lies on their line:
    validation in between and early stopping are left out.
    """
    key, steps = _budget(name)
    if key is None:
        return _seconds(name, panel, [])
    short, longer = budgets
    times = [_seconds(name, panel, _steps(key, budget)) for budget in (short, longer)]
    return times[0] + (times[1] - times[0]) / (longer - short) * (steps - short)


def write(seconds: dict[str, float], cfg: DictConfig) -> None:
    """Into the file that `lanecast models` reads; models that were not measured keep their cost."""
    path = Path(str(cfg.out))
    before: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {"relative": {}}
    measured = {name: float(f"{each / seconds[FLOOR]:.2g}") for name, each in seconds.items()}
    case = (
        f"a fit and a forecast of {cfg.series} daily series of {cfg.days} days with every"
        f" default, times that of {FLOOR} in the same session, on one thread; an order of magnitude"
    )
    relative = dict(sorted({**before["relative"], **measured}.items()))
    path.write_text(json.dumps({"case": case, "relative": relative}, indent=1) + "\n")


def _budget(name: str) -> tuple[str | None, int]:
    """The key that holds the training steps of a model, and how many those are."""
    (cfg,) = composed_roots(packaged_conf(), "train", [[f"model={name}", *QUIET]])
    if "max_steps" in cfg.model:
        return "model.max_steps", int(cfg.model.max_steps)
    trains = "optim" in cfg.model or "optim" in (cfg.model.get("member") or {})
    return ("optim.max_steps", int(cfg.optim.max_steps)) if trains else (None, 0)


def _steps(key: str, budget: int) -> list[str]:
    return [f"{key}={budget}", "optim.val_steps=0"]


def _seconds(name: str, panel: Panel, overrides: Sequence[str]) -> float:
    """The fastest of some rounds, at least two, since the first may compile."""
    from lanecast.data.windows import windows_at

    (cfg,) = composed_roots(packaged_conf(), "train", [[f"model={name}", *QUIET, *overrides]])
    taken: list[float] = []
    while len(taken) < 2 or (taken[-1] < LONG and len(taken) <= ROUNDS):
        model = instantiate(cfg.model)
        until = panel.last_step - model.describe().windows.horizon
        at = windows_at(panel, [until], model.describe().windows)
        started = time.perf_counter()
        model.fit(panel, until=until)
        model.predict(panel, at=at, quantiles=QUANTILES, samples=SAMPLES)
        taken.append(time.perf_counter() - started)
    return min(taken)
