"""Several seeds of one network, trained in one pass: their weights stand in one tensor each.

A small network leaves most of a GPU idle; eight of them fill it.  Each seed has its own first
weights, its own order of windows and its own clipping, so that it takes the steps it would take
alone.  Axes as in `lanecast.data.gather`; ``S`` seeds.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from lanecast.data.gather import BY_WINDOW, Label, WindowBatch
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError
from lanecast.models.deep.forecaster import Begun, DeepForecaster
from lanecast.models.deep.networks.nhits_fused import fused
from lanecast.models.deep.optimization import Optimization
from lanecast.models.ensemble import Ensemble
from lanecast.models.protocol import FitReport, Reporter


class StackedSeeds(Ensemble):
    """An ensemble of ``seeds`` seeds of one deep model, ``seed`` the first of them.

    Every member is saved as ``seed<k>`` and is the model of that seed alone, up to rounding; with
    dropout the draws differ.  Networks that read all series at once are refused.
    """

    def __init__(self, *, member: DeepForecaster, name: str, seeds: int, seed: int) -> None:
        members = {}
        for number in range(seed, seed + seeds):
            members[f"seed{number}"] = other = copy.copy(member)
            other.seed, other.counts = number, {}
        super().__init__(members=members, name=name)

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Train all seeds at once on what is known at ``until``."""
        begun, members = [], [x for x in self.members.values() if isinstance(x, DeepForecaster)]
        for member in members:
            with torch.random.fork_rng():
                torch.manual_seed(member.seed)
                begun.append(member.begin(panel, until=until))
        stack = SeedStack(begun, plan=members[0].plan)
        with torch.random.fork_rng():
            torch.manual_seed(members[0].seed)
            reports = stack.run(reporter)
        for member, ready, report in zip(members, begun, reports, strict=True):
            member.end(ready, report, reporter=reporter)
        self.fitted_until = until
        return self


class SeedStack:
    """The stacked weights of several begun fits, and their steps."""

    def __init__(self, begun: Sequence[Begun], *, plan: Optimization) -> None:
        self._begun, self._plan = begun, plan
        self._modules = [ready.module for ready in begun]
        first = begun[0]
        if first.module.network.multivariate:
            raise ConfigError(
                "a network that reads all series at once cannot be stacked by seed; train its"
                " seeds one by one (seed=1,2,3 with -m), or choose a univariate network"
            )
        if any(isinstance(layer, nn.RNNBase) for layer in first.module.network.modules()):
            raise ConfigError(
                "recurrent layers, as TFT's LSTM, cannot be stacked by seed: torch.func has no rule"
                " for them; train the seeds one by one (seed=1,2,3 with -m), or choose a network"
                " without them"
            )
        if settings_alone := first.alone:
            raise ConfigError(
                f"seeds are stacked in one process at full precision, without {settings_alone};"
                " leave it out, or train the seeds one by one (seed=1,2,3 with -m)"
            )
        device = first.data.gatherer.device
        for module in self._modules:
            module.to(device)
        networks = [module.network for module in self._modules]
        self.parameters, self._buffers = stack_module_state(networks)
        settings = plan.configure(list(self.parameters.values()), first.steps)
        self._optimizer = settings["optimizer"]
        self._schedule = settings.get("lr_scheduler", {}).get("scheduler")
        template: Any = copy.deepcopy(networks[0]).train()
        form = fused(template) if plan.fused_layers else template
        if form is not template:
            template.forward = form
        self._template: nn.Module = template
        self._stacked = {**self.parameters, **self._buffers}
        known: dict[int, str] = {}  # a tensor that two layers share is stacked under its first name
        tensors = [
            *self._template.named_parameters(remove_duplicate=False),
            *self._template.named_buffers(remove_duplicate=False),
        ]
        names = {name: known.setdefault(id(tensor), name) for name, tensor in tensors}
        self._names = {name: names[name] for name in self._template.state_dict()}

    def run(self, reporter: Reporter | None) -> list[FitReport]:
        """Train for the whole budget, or until no seed gains; every module ends with its best."""
        first, plan = self._begun[0], self._plan
        monitor = plan.objective if first.data.split.val_cutoffs else None
        best = [FitReport(objective=monitor or "train/loss", value=math.inf, step=0, steps_run=0)
                for _ in self._begun]  # fmt: skip
        kept: list[Mapping[str, Tensor]] = [{} for _ in self._begun]
        step, idle = 0, 0
        while step < first.steps and idle < plan.patience:
            until = min(step + first.data.steps_per_epoch, first.steps)
            losses_KS = torch.stack([self.step(k) for k in range(step, until)])
            step, means = until, losses_KS.mean(dim=0).tolist()
            if not all(map(math.isfinite, means)):
                raise FloatingPointError(
                    f"training losses of the seeds became {means} by step {step}; lower"
                    " optim.optimizer.lr, clip gradients (optim.clip) or check the scaler"
                )
            values = means if monitor is None else self._validated(monitor)
            if reporter is not None:
                logged = {"train/loss": float(np.mean(means))}
                logged |= {monitor: float(np.mean(values))} if monitor else {}
                reporter.log(step, **logged)
            gained = [monitor is None or value < old.value
                      for value, old in zip(values, best, strict=True)]  # fmt: skip
            for number in np.flatnonzero(gained).tolist():
                best[number] = replace(best[number], value=values[number], step=step)
                kept[number] = self.weights(number)
            idle = 0 if any(gained) else idle + 1
        if not all(kept):
            raise FloatingPointError(
                f"{monitor} of some seeds was never a number: are the targets of the validation all"
                " 0 or missing? choose optim.objective=val/mse or a longer optim.val_steps"
            )
        for module, state in zip(self._modules, kept, strict=True):
            module.network.load_state_dict(state)
        return [replace(report, steps_run=step) for report in best]

    def step(self, number: int) -> Tensor:
        """One optimizer step of every seed; their losses, [S]."""
        batches, labels = self._batches([ready.data.train_index(number) for ready in self._begun])
        module = self._modules[0]  # the scaler, anchor and selection are the same for all
        inputs, future_WH, scale = module.inputs(batches)
        count = len(self._begun)
        raw_SBHm = self._forward(inputs, count)
        output = module.output(raw_SBHm.flatten(0, 1), future_WH, scale)
        losses = []
        size = len(batches.series_B) // count
        for k in range(count):
            rows = torch.arange(k * size, (k + 1) * size, device=batches.series_B.device)
            own = batches.rows(rows), labels.rows(rows)
            losses.append(self._modules[k].loss_of(output.rows(rows), own))
        losses_S = torch.stack(losses)
        self._optimizer.zero_grad()
        losses_S.sum().backward()  # a seed's weights meet no loss but its own
        if self._plan.clip is not None:
            self._clip(self._plan.clip)
        self._optimizer.step()
        if self._schedule is not None:
            self._schedule.step()
        return losses_S.detach()

    def weights(self, number: int) -> dict[str, Tensor]:
        """A copy of one seed's parameters and buffers."""
        stacked = self._stacked
        return {to: stacked[name][number].detach().clone() for to, name in self._names.items()}

    def _batches(self, indices: Sequence[WindowIndex]) -> tuple[WindowBatch, Label]:
        """The batches of all seeds, one after the other, from one gather."""
        return self._begun[0].data.gatherer(
            WindowIndex(
                series_W=np.concatenate([index.series_W for index in indices]),
                cutoff_W=np.concatenate([index.cutoff_W for index in indices]),
            )
        )

    def _forward(self, inputs: WindowBatch, count: int) -> Tensor:
        """Every network on its own share of the windows, [S, B, H, m]."""
        tensors = {name: getattr(inputs, name).unflatten(0, (count, -1)) for name in BY_WINDOW}

        def one(weights: Any, buffers: Any, windows: dict[str, Tensor]) -> Tensor:
            return functional_call(self._template, (weights, buffers), (WindowBatch(**windows),))

        each = torch.vmap(one, randomness="different")
        return each(self.parameters, self._buffers, tensors)

    def _clip(self, most: float) -> None:
        """Scale each seed's gradient to a norm of at most ``most``, as `clip_grad_norm_` does."""
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        squares_S = sum((g.flatten(1) ** 2).sum(dim=1) for g in gradients)
        factor_S = (most / (torch.as_tensor(squares_S).sqrt() + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(factor_S.view(-1, *(1,) * (gradient.ndim - 1)))

    def _validated(self, monitor: str) -> list[float]:
        """The objective of every seed over all validation windows."""
        values = []
        for number, ready in enumerate(self._begun):
            ready.module.network.load_state_dict(self.weights(number))
            ready.module.eval()
            with torch.no_grad():
                for batch in ready.data.val_dataloader():
                    ready.module.validation_step(batch, 0)
            values.append(ready.module.validated()[monitor])
            ready.module.train()
        return values
