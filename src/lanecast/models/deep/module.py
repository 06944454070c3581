"""The one LightningModule: scaler, anchor, network and loss; the only ``training_step``.

Axes as in `lanecast.data.gather`; ``m`` raw outputs per step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from lanecast.data.datamodule import Batch
from lanecast.data.gather import WindowBatch
from lanecast.data.scaling import Scale, Scaler
from lanecast.models.deep.anchors import Anchor, NoAnchor
from lanecast.models.deep.inputs import Selection
from lanecast.models.deep.losses import Loss
from lanecast.models.deep.networks.base import Network
from lanecast.models.deep.optimization import Optimization


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Anchored raw outputs in scaled units and the scale to leave them with."""

    raw_BHm: Tensor
    scale: Scale

    def rows(self, chosen: Tensor | slice) -> Output:
        """The outputs of some windows."""
        scale = Scale(loc_B=self.scale.loc_B[chosen], scale_B=self.scale.scale_B[chosen])
        return Output(raw_BHm=self.raw_BHm[chosen], scale=scale)


class ForecastModule(pl.LightningModule):
    """Trains one network.  Metrics are logged once per epoch; no step waits for the device."""

    def __init__(
        self,
        *,
        network: Network,
        loss: Loss,
        scaler: Scaler,
        anchor: Anchor,
        selection: Selection,
        plan: Optimization,
        total_steps: int,
    ) -> None:
        super().__init__()
        self.network, self.loss, self.scaler = network, loss, scaler
        self.anchor, self.plan, self.total_steps = anchor, plan, total_steps
        self.selection = selection
        self.budget: dict[str, int] = {}  # of the fit; a checkpoint resumes under the same one
        self.series_weight_N: Tensor | None  # what an error of each series weighs
        self.register_buffer("series_weight_N", None, persistent=False)
        self._train = torch.zeros(2)  # sum of step losses, steps
        self._val = torch.zeros(6)

    def __setattr__(self, name: str, value: Any) -> None:
        """As ever, but past torch's search for parameters in what Lightning notes at every hook."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def forward(self, batch: WindowBatch) -> Output:
        """Scale, take the anchor off, run the network, put the anchor back."""
        inputs, future_BH, scale = self.inputs(batch)
        return self.output(self.network(inputs), future_BH, scale)

    def inputs(self, batch: WindowBatch) -> tuple[WindowBatch, Tensor | None, Scale]:
        """What the network reads, and what its outputs need: the anchor's future and the scale."""
        scaled, scale = self.scaler.transform(batch)
        if isinstance(self.anchor, NoAnchor):
            return self.selection(scaled), None, scale
        anchored = self.anchor(scaled)
        deviation = (scaled.past_BLP[..., 0] - anchored.past_BL) * scaled.seen_BLP[..., 0]
        past_BLP = torch.cat([deviation[..., None], scaled.past_BLP[..., 1:]], dim=-1)
        return self.selection(replace(scaled, past_BLP=past_BLP)), anchored.future_BH, scale

    def output(self, raw_BHm: Tensor, future_BH: Tensor | None, scale: Scale) -> Output:
        """The network's outputs with the anchor put back."""
        raw = raw_BHm if future_BH is None else self.loss.shift(raw_BHm, future_BH)
        return Output(raw_BHm=raw, scale=scale)

    def loss_of(self, output: Output, batch: Batch) -> Tensor:
        """Weighted loss in scaled units; a missing label weighs nothing."""
        windows, label = batch
        y_BH = self.scaler.scale_target(label.y_BH, output.scale)
        weight_BH = label.seen_BH.to(y_BH.dtype)
        if self.plan.weight:
            weight_BH = weight_BH * self._size(windows, output.scale)[:, None]
        if self.series_weight_N is not None:
            weight_BH = weight_BH * self.series_weight_N[windows.series_B][:, None]
        return self.loss(output.raw_BHm, y_BH, weight_BH)

    def _size(self, windows: WindowBatch, scale: Scale) -> Tensor:
        """What one scaled unit weighs in the target's unit, to the power of ``plan.weight``."""
        if self.scaler.link == "identity":
            return scale.scale_B**self.plan.weight
        y_BL, seen_BL = windows.past_BLP[..., 0], windows.seen_BLP[..., 0]
        size = y_BL.abs().sum(dim=1) / seen_BL.sum(dim=1).clamp(min=1)
        return (size + 1.0) ** self.plan.weight

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """One step; the loss is summed on the device for the epoch's mean."""
        loss = self.loss_of(self(batch[0]), batch)
        self._train = self._train.to(loss.device)
        self._train[0] += loss.detach()
        self._train[1] += 1
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the epoch's mean loss; a loss that is not finite ends the fit with its place."""
        mean = float(self._train[0] / self._train[1].clamp(min=1))
        self._train.zero_()
        self.log("train/loss", mean, prog_bar=True, sync_dist=True)
        if mean != mean or mean in (float("inf"), float("-inf")):
            raise FloatingPointError(
                f"training loss became {mean} by step {self.global_step}; lower optim.optimizer.lr,"
                " clip gradients (optim.clip) or check the scaler"
            )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Sums for loss, WAPE, WQL and MSE in the target's unit."""
        windows, label = batch
        output = self(windows)
        seen = label.seen_BH
        point = self.scaler.inverse(self.loss.point(output.raw_BHm), output.scale)
        e_BH = (point - label.y_BH).masked_fill(~seen, 0.0)
        grid = self.loss.grid(output.raw_BHm)
        pinball = e_BH.abs().sum()
        if grid is not None:
            levels = torch.tensor(self.loss.levels, device=grid.device)
            e_BHQ = label.y_BH[..., None] - self.scaler.inverse(grid, output.scale)
            losses = torch.maximum(levels * e_BHQ, (levels - 1) * e_BHQ).mean(dim=-1)
            pinball = 2 * losses.masked_fill(~seen, 0.0).sum()
        count = seen.sum().to(e_BH.dtype)
        loss = self.loss_of(output, batch) * count
        size = label.y_BH.abs().sum()
        self._val = self._val.to(e_BH.device) + torch.stack(
            [loss, e_BH.abs().sum(), pinball, (e_BH**2).sum(), size, count]
        )

    def on_validation_epoch_end(self) -> None:
        """Log ``val/loss``, ``val/wape``, ``val/wql`` and ``val/mse`` over all windows."""
        if self.trainer.sanity_checking:
            self._val.zero_()
            return
        sums = self.trainer.strategy.reduce(self._val, reduce_op="sum")
        assert isinstance(sums, Tensor)
        for name, ratio in self.validated(sums).items():
            self.log(name, ratio, prog_bar=name == "val/wape")

    def validated(self, sums: Tensor | None = None) -> dict[str, float]:
        """``val/*`` from the sums of the validation steps since the last time, or from ``sums``."""
        sums_seen = self._val if sums is None else sums
        loss, absolute, pinball, squared, size, count = sums_seen.tolist()
        self._val.zero_()
        values = {"loss": (loss, count), "wape": (absolute, size), "wql": (pinball, size)}
        values["mse"] = (squared, count)
        return {
            f"val/{name}": above / below if below else float("nan")
            for name, (above, below) in values.items()
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the budget, and the generator, so that a resumed fit draws the same dropout."""
        checkpoint["generator"] = torch.get_rng_state()
        checkpoint["budget"] = self.budget

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on drawing where the checkpoint stopped, and with the next epoch if one had ended.

        Lightning would end that epoch a second time, without the metrics of its validation.
        """
        torch.set_rng_state(checkpoint["generator"].cpu())
        for key, state in checkpoint["callbacks"].items():
            if key.startswith("ModelCheckpoint"):  # the best so far counts in another folder too
                state["dirpath"] = getattr(self.trainer.checkpoint_callback, "dirpath", None)
        loops = checkpoint["loops"]["fit_loop"]
        for counts in loops["epoch_progress"].values():
            ended = counts["processed"] == counts["completed"] + 1
            counts["completed"] = counts["processed"]
        if ended:
            batches = loops["epoch_loop.batch_progress"]
            batches["is_last_batch"] = False
            batches["current"] = dict.fromkeys(batches["current"], 0)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip by norm, a fused optimizer under bf16 too, which Lightning refuses.

        Its refusal is for a loss scaler (16-mixed), which a fused optimizer takes off in its step.
        """
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val)

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule of the plan, over the network's parameters."""
        return self.plan.configure(self.network.parameters(), self.total_steps)
