"""Scaling of windows: the target per window or per series, covariates by column.

Whatever is fitted says ``fitted_until`` and saw nothing later.  Axes as in `lanecast.data.gather`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from lanecast.data.as_known import begun
from lanecast.data.gather import WindowBatch
from lanecast.data.links import LARGEST
from lanecast.data.moments import cell_steps, column_moments, lower_medians, series_blocks
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.errors import CheckpointError, ConfigError, LeakageError

METHODS = ("identity", "standard", "robust", "mean_abs")
LINKS = ("identity", "log1p")
_FLAT = 1e-6  # of the location: a smaller spread is rounding, and the values are constant
_SHARE = 0.1  # of the usual level: the scale of a window or series that has no spread
_OLD_UNIT = torch.ones(())  # what had no spread was scaled by, before it had a unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Location and scale of the target of each window, in link space, [B]."""

    loc_B: Tensor
    scale_B: Tensor


class Scaler(nn.Module):
    """Scales windows; ``fit`` learns column statistics from what is known at a step.

    ``method``: identity; standard (mean, sd); robust (median, mean absolute deviation from it);
    mean_abs (0, mean of |y|).  ``per``: "window" reads the visible context of each window,
    "series" the history of its series up to ``fitted_until`` (a series unseen then gets the pooled
    statistics).  ``link``: transform of the target before scaling; the inverse is exact.  What has
    no spread is scaled by ``unit``, a share of the usual level of the series: no floor is absolute,
    so that a target in other units is forecast in those units.  log1p alone has a unit, 1, and
    refuses a target that mostly lies below it.
    """

    means: Tensor
    sds: Tensor
    static_mean: Tensor
    static_sd: Tensor
    series_loc: Tensor
    series_scale: Tensor
    unit: Tensor

    def __init__(
        self, *, method: str = "robust", per: str = "window", link: str = "identity"
    ) -> None:
        super().__init__()
        for value, allowed, key in (
            (method, METHODS, "method"),
            (per, ("window", "series"), "per"),
            (link, LINKS, "link"),
        ):
            if value not in allowed:
                raise ConfigError(f"scaler.{key}={value!r} is not one of {', '.join(allowed)}")
        self.method, self.per, self.link = method, per, link
        self.fitted_until: int | None = None
        self.known: dict[str, int] = {}  # unique_id -> row of the per-series statistics; 0 = pooled
        self._kinds: tuple[str, ...] = ()
        self._num_past = 1
        self._row_N: Tensor | None
        self.register_buffer("_row_N", None, persistent=False)

    def fit(self, panel: Panel, *, until: int) -> Self:
        """Learn from cells whose value is known at ``until``."""
        schema = panel.schema
        means, sd = column_moments(panel, until=until)
        self._kinds = tuple(schema.columns[name].scale for name in schema.stored)
        self._num_past = len(schema.past)
        self.register_buffer("means", means.float())
        size = means.abs()
        sd = torch.where(sd > _FLAT * size, sd, torch.where(size > 0, size, 1.0)).float()
        self.register_buffer("sds", sd)
        rows = torch.from_numpy(begun(panel, until))  # a series yet to begin tells nothing
        statics = panel.statics if panel.statics.numel() else torch.zeros(panel.num_series, 0)
        statics = statics[rows] if len(rows) else torch.zeros_like(statics)
        mean = statics.mean(dim=0)
        sd = ((statics - mean) ** 2).mean(dim=0).sqrt()
        self.register_buffer("static_mean", mean)
        unit = torch.where(mean != 0, mean.abs(), 1.0)
        self.register_buffer("static_sd", torch.where(sd > _FLAT * mean.abs(), sd, unit))
        self._fit_series(panel, until - schema.delay_steps(TARGET))
        self.fitted_until = until
        return self.bind(panel)

    def _fit_series(self, panel: Panel, last: int) -> None:
        """Statistics of each series; in row 0 and for one without history yet, their medians."""
        # Results laid down block by block would pin the memory between them.
        loc, scale, level = (torch.empty(panel.num_series, dtype=torch.float64) for _ in range(3))
        present = torch.empty(panel.num_series, dtype=torch.bool)
        for first, end in series_blocks(panel):
            rows = slice(first, end)
            loc[rows], scale[rows], level[rows], present[rows] = self._series(
                panel, last, first, end
            )
        moving = level[present & (level > 0)]
        if self.link == "log1p" and len(moving):
            _refuse_below_unit(torch.expm1(moving))
        own = self.link == "identity" and len(moving)  # a log is without a unit
        unit = _SHARE * moving.median() if own else torch.ones((), dtype=loc.dtype)
        self.register_buffer("unit", unit.float())
        scale = torch.where(scale > _FLAT * loc.abs(), scale, unit)
        pooled = torch.tensor([0.0, 1.0], dtype=loc.dtype)
        if present.any():
            pooled = torch.stack([loc[present].median(), scale[present].median()])
        loc, scale = torch.where(present, loc, pooled[0]), torch.where(present, scale, pooled[1])
        self.register_buffer("series_loc", torch.cat([pooled[:1], loc]).float())
        self.register_buffer("series_scale", torch.cat([pooled[1:], scale]).float())
        self.known = {str(name): row + 1 for row, name in enumerate(panel.series)}

    def _series(
        self, panel: Panel, last: int, first: int, end: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Location, scale, level and whether anything is known of series ``first .. end - 1``."""
        low, high, num = int(panel.offsets[first]), int(panel.offsets[end]), end - first
        y = panel.cells(TARGET)[panel.places(low, high)].double()
        use = torch.isfinite(y) & torch.from_numpy(cell_steps(panel, low, high) <= last)
        if self.link == "log1p" and (y[use] < 0).any():
            raise ConfigError(
                f"scaler.link=log1p needs a target that is never negative, but the smallest is"
                f" {float(y[use].min()):g}; choose a scaler with link: identity"
            )
        lengths = np.diff(panel.offsets[first : end + 1])
        owner = torch.from_numpy(np.repeat(np.arange(num), lengths))[use]
        y = self._to_link(y)[use]
        present = torch.bincount(owner, minlength=num) > 0
        count = torch.bincount(owner, minlength=num).clamp(min=1)

        def mean(values: Tensor) -> Tensor:
            return torch.zeros(num, dtype=y.dtype).index_add_(0, owner, values) / count

        level = mean(y.abs())
        if self.method != "robust":
            return *_moments(self.method, mean, y, owner), level, present
        loc = torch.zeros(num, dtype=y.dtype)
        loc[present] = lower_medians(y, count[present])
        return loc, mean((y - loc[owner]).abs()), level, present

    def bind(self, panel: Panel) -> Self:
        """Find the rows of this panel's series; an unseen series gets the pooled statistics."""
        rows = [self.known.get(str(name), 0) for name in panel.series]
        self._row_N = torch.tensor(rows, device=self.means.device)  # goes where the module goes
        return self

    def check(self, cutoff: int) -> None:
        """LeakageError if a window at ``cutoff`` is asked of statistics that saw later values."""
        if self.fitted_until is None:
            raise LeakageError("the scaler was never fitted; call fit(panel, until=...) first")
        if cutoff < self.fitted_until:
            raise LeakageError(
                f"a window at cutoff {cutoff} would be scaled with statistics fitted until step"
                f" {self.fitted_until}; refit with until <= {cutoff}"
            )

    def transform(self, batch: WindowBatch) -> tuple[WindowBatch, Scale]:
        """The batch in scaled units, invisible cells still 0, and the scale to come back with."""
        y_BL, seen_BL = self._to_link(batch.past_BLP[..., 0]), batch.seen_BLP[..., 0]
        ragged = batch.ragged_R
        scale = self._scale(y_BL, seen_BL, batch.series_B, ragged)
        num_known = len(self._kinds) - self._num_past
        stored = slice(self._num_past, None)
        past = self._columns(batch.past_BLP, slice(0, self._num_past), scale)
        past[..., 0] = (y_BL - scale.loc_B[:, None]) / scale.scale_B[:, None]

        def scale_known(values: Tensor, seen: Tensor) -> Tensor:
            if not num_known:
                return values
            scaled = self._columns(values[..., :num_known], stored, scale)
            scaled = _blank(scaled, seen[..., :num_known], ragged)
            rest = values[..., num_known:]
            return torch.cat([scaled, rest], dim=-1) if rest.shape[-1] else scaled

        return replace(
            batch,
            past_BLP=_blank(past, batch.seen_BLP, ragged),
            known_past_BLK=scale_known(batch.known_past_BLK, batch.known_past_seen_BLK),
            future_BHK=scale_known(batch.future_BHK, batch.future_seen_BHK),
            static_BC=(batch.static_BC - self.static_mean) / self.static_sd,
        ), scale

    def scale_target(self, y_BH: Tensor, scale: Scale) -> Tensor:
        """Target values (a label, a column in the target's unit) in scaled units."""
        extra = (1,) * (y_BH.ndim - 1)
        loc, spread = scale.loc_B.view(-1, *extra), scale.scale_B.view(-1, *extra)
        return (self._to_link(y_BH) - loc) / spread

    def inverse(self, z_B: Tensor, scale: Scale) -> Tensor:
        """Scaled values [B, ...] back in the target's unit."""
        extra = (1,) * (z_B.ndim - 1)
        x = z_B * scale.scale_B.view(-1, *extra) + scale.loc_B.view(-1, *extra)
        return torch.expm1(x.clamp(max=30.0)) if self.link == "log1p" else x

    def facts(self) -> Mapping[str, Any]:
        """What `restore` needs beside the state_dict."""
        return {
            "choice": [self.method, self.per, self.link],
            "fitted_until": self.fitted_until,
            "series": list(self.known),
            "kinds": list(self._kinds),
            "num_past": self._num_past,
        }

    def restore(self, facts: Mapping[str, Any], state: Mapping[str, Tensor]) -> Self:
        """Take up what `facts` and ``state_dict`` wrote."""
        expected = [self.method, self.per, self.link]
        if facts["choice"] != expected:
            raise CheckpointError(
                f"the checkpoint's scaler is (method, per, link) {facts['choice']}, this config's"
                f" {expected}; use the run's own config: run=<run folder>"
            )
        for name in ("means", "sds", "static_mean", "static_sd", "series_loc", "series_scale"):
            if name not in state:
                raise CheckpointError(f"the checkpoint holds no scaler statistic {name!r}")
            self.register_buffer(name, state[name])
        self.register_buffer("unit", state.get("unit", _OLD_UNIT.clone()))
        self.fitted_until = facts["fitted_until"]
        self.known = {name: row + 1 for row, name in enumerate(facts["series"])}
        self._kinds, self._num_past = tuple(facts["kinds"]), facts["num_past"]
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """As in torch; a checkpoint of before ``unit`` is read as it was written."""
        state_dict.setdefault(f"{prefix}unit", _OLD_UNIT)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _to_link(self, y: Tensor) -> Tensor:
        return torch.log1p(y.clamp(min=0.0)) if self.link == "log1p" else y

    def _scale(
        self, y_BL: Tensor, seen_BL: Tensor, series_B: Tensor, ragged_R: Tensor | None
    ) -> Scale:
        if self.method == "identity":
            zero = torch.zeros_like(y_BL[:, 0])
            return Scale(loc_B=zero, scale_B=zero + 1.0)
        if self.per == "series":
            if self._row_N is None:
                raise LeakageError("the scaler is not bound to a panel; call bind(panel) first")
            row_B = self._row_N[series_B]
            return Scale(loc_B=self.series_loc[row_B], scale_B=self.series_scale[row_B])
        count = seen_BL.sum(dim=1).clamp(min=1)

        def mean(values: Tensor) -> Tensor:
            return _blank(values, seen_BL, ragged_R).sum(dim=1) / count

        if self.method == "robust":
            loc = _median(y_BL, seen_BL, ragged_R)
            scale = mean((y_BL - loc[:, None]).abs())
        elif self.method == "standard":
            loc = mean(y_BL.clone())
            scale = mean((y_BL - loc[:, None]) ** 2).sqrt()
        else:
            loc, scale = torch.zeros_like(y_BL[:, 0]), mean(y_BL.abs())
        return Scale(loc_B=loc, scale_B=torch.where(scale > _FLAT * loc.abs(), scale, self.unit))

    def _columns(self, values: Tensor, which: slice, scale: Scale) -> Tensor:
        """Columns [B, T, X] in the target's unit, standardized, or as they are: a new tensor."""
        scaled = (values - self.means[which]).div_(self.sds[which])
        kinds = self._kinds[which]
        if any(kind != "own" for kind in kinds):
            as_target = self.scale_target(values, scale)
            parts = {"own": scaled, "target": as_target, "none": values}
            scaled = torch.stack([parts[kind][..., i] for i, kind in enumerate(kinds)], dim=-1)
        return scaled


def _blank(values: Tensor, seen: Tensor, ragged_R: Tensor | None) -> Tensor:
    """Put 0 in place where nothing is seen, [B, ...]; only ragged windows are looked at."""
    if ragged_R is None:
        return values.masked_fill_(~seen, 0.0)
    if len(ragged_R):
        values[ragged_R] = values[ragged_R].masked_fill_(~seen[ragged_R], 0.0)
    return values


def _median(y_BL: Tensor, seen_BL: Tensor, ragged_R: Tensor | None) -> Tensor:
    """Lower median of the seen values of each window, 0 where there is none, [B]."""
    if torch.compiler.is_exporting():  # a sort is what every runtime has; the same value
        ranked_BL = y_BL.masked_fill(~seen_BL, float("inf")).sort(dim=1).values
        count_B = seen_BL.sum(dim=1)
        middle_B = (count_B - 1).clamp(min=0) // 2
        median_B = ranked_BL.gather(1, middle_B[:, None])[:, 0]
        return median_B.masked_fill(count_B == 0, 0.0)
    if ragged_R is None:
        hidden = y_BL.masked_fill(~seen_BL, float("nan"))
        return hidden.nanmedian(dim=1).values.nan_to_num(0.0)
    if y_BL.device.type == "cpu":  # numpy's partial sort is the faster one there
        middle = (y_BL.shape[1] - 1) // 2
        median = torch.from_numpy(np.partition(y_BL.numpy(), middle, axis=1)[:, middle])
    else:
        median = y_BL.median(dim=1).values
    if len(ragged_R):
        median[ragged_R] = _median(y_BL[ragged_R], seen_BL[ragged_R], None)
    return median


def _moments(method: str, mean: Any, y: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    if method == "standard":
        loc = mean(y)
        return loc, mean((y - loc[owner]) ** 2).sqrt()
    zero = torch.zeros_like(mean(y))
    return (zero, mean(y.abs())) if method == "mean_abs" else (zero, zero + 1.0)


def _refuse_below_unit(level_N: Tensor) -> None:
    """ConfigError where log1p, whose unit is 1, does not fit the levels of the series."""
    usual, largest = float(level_N.median()), float(level_N.max())
    if usual < 1 or largest > LARGEST:
        size = f"usually {usual:.3g}" if usual < 1 else f"up to {largest:.3g}"
        raise ConfigError(
            f"scaler.link=log1p counts in units of 1, but the mean target of a series is {size};"
            " choose a scaler with link: identity, or bring the target into a larger or smaller"
            " unit"
        )
