"""Networks as plain modules: scaled windows in, raw outputs out.

`NeuralforecastNetwork` turns any neuralforecast model with a ``forward(windows_batch)`` into such a
module.  Scaling, masks, losses and training are ours; the class contributes its layers only.
Axes as in `lanecast.data.gather`; ``N`` series of a multivariate network, ``m`` outputs per step.
"""

from __future__ import annotations

import inspect
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lanecast.data.gather import WindowBatch
from lanecast.data.schema import Role
from lanecast.errors import ConfigError
from lanecast.models.deep.quiet import quiet_lightning


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """What a network must know of the data before it is built."""

    context: int
    horizon: int
    num_observed: int
    num_known: int
    num_static: int
    num_outputs: int
    num_series: int


class Network(nn.Module, ABC):
    """Base of all networks: ``forward(batch) -> [B, H, m]`` in scaled units.

    ``multivariate`` networks read all ``num_series`` series of a cutoff at once: their batches hold
    whole cutoffs, series in panel order.
    """

    uses: frozenset[Role] = frozenset(Role)
    multivariate: bool = False

    @classmethod
    def takes(cls, **arguments: Any) -> frozenset[Role]:  # noqa: ARG003
        """The roles that a network built with these arguments can be given."""
        return cls.uses

    @abstractmethod
    def forward(self, batch: WindowBatch) -> Tensor:
        """Raw outputs, [B, H, m]."""


class NeuralforecastNetwork(Network):
    """A neuralforecast model used as a plain network, by class name.

    ``options`` go to the model's constructor.  Inputs a class cannot take (a network without future
    covariates, say) are not handed to it, and ``uses`` says so.
    """

    def __init__(self, *, name: str, shape: NetworkShape, options: Mapping[str, Any]) -> None:
        super().__init__()
        model_class = _model_class(name)
        self.multivariate = bool(model_class.MULTIVARIATE)
        sizes = {
            Role.TARGET: 1,
            Role.OBSERVED: shape.num_observed,
            Role.KNOWN_FUTURE: shape.num_known,
            Role.STATIC: shape.num_static,
        }
        self.uses = frozenset(role for role in self.takes(name=name) if sizes[role])
        self._num_series = shape.num_series
        self._num_outputs = shape.num_outputs
        reserved = {"h", "input_size", "loss", "scaler_type", "n_series", "random_seed"} & set(
            options
        )
        if reserved:
            raise ConfigError(
                f"model.network.options of {name} may not set {sorted(reserved)}: windows, loss and"
                " scaler own them"
            )
        _check_options(model_class, options)
        arguments: dict[str, Any] = {"h": shape.horizon, "input_size": shape.context, **options}
        names = {
            "hist_exog_list": (Role.OBSERVED, shape.num_observed, "hist"),
            "futr_exog_list": (Role.KNOWN_FUTURE, shape.num_known, "futr"),
            "stat_exog_list": (Role.STATIC, shape.num_static, "stat"),
        }
        for argument, (role, size, stem) in names.items():
            if role in self.uses:
                arguments[argument] = [f"{stem}_{i}" for i in range(size)]
        if self.multivariate:
            arguments["n_series"] = shape.num_series
        # The constructor seeds everything with random_seed (1 unless told): hand it torch's own.
        arguments["random_seed"] = torch.initial_seed() % 2**32
        try:
            with _quiet_seeding():
                self.model = model_class(
                    loss=_output_size(shape.num_outputs), scaler_type="identity", **arguments
                )
        except TypeError as err:
            raise ConfigError(f"model.network.options of {name}: {err}") from err

    @classmethod
    def takes(cls, **arguments: Any) -> frozenset[Role]:
        """What the model of that name can be given."""
        model_class = _model_class(str(arguments["name"]))
        inputs = {
            Role.OBSERVED: model_class.EXOGENOUS_HIST,
            Role.KNOWN_FUTURE: model_class.EXOGENOUS_FUTR,
            Role.STATIC: model_class.EXOGENOUS_STAT,
        }
        return frozenset({Role.TARGET, *(role for role, taken in inputs.items() if taken)})

    def forward(self, batch: WindowBatch) -> Tensor:
        """Raw outputs, [B, H, m]; one forward of the wrapped model."""
        mask_BL1 = batch.seen_BLP[..., :1].to(batch.past_BLP.dtype)
        inputs = {
            "insample_y": batch.past_BLP[..., :1],
            "insample_mask": mask_BL1,
            "hist_exog": batch.past_BLP[..., 1:] if Role.OBSERVED in self.uses else None,
            "futr_exog": torch.cat([batch.known_past_BLK, batch.future_BHK], dim=1)
            if Role.KNOWN_FUTURE in self.uses
            else None,
            "stat_exog": batch.static_BC if Role.STATIC in self.uses else None,
        }
        if self.multivariate:
            return self._forward_multivariate(inputs)
        raw = self.model(inputs)
        return raw if raw.ndim == 3 else raw[..., None]

    def _forward_multivariate(self, inputs: dict[str, Tensor | None]) -> Tensor:
        """Whole cutoffs: [b * N, ...] becomes [b, ..., N], and back."""
        num = self._num_series
        y = inputs["insample_y"]
        assert y is not None
        if len(y) % num:
            raise ConfigError(
                f"a multivariate batch holds whole cutoffs of {num} series, got {len(y)} windows"
            )

        def last_axis(values: Tensor) -> Tensor:  # [b * N, T, X] -> [b, X, T, N]
            return values.unflatten(0, (-1, num)).permute(0, 3, 2, 1)

        for key in ("insample_y", "insample_mask"):
            values = inputs[key]
            assert values is not None
            inputs[key] = last_axis(values)[:, 0]
        for key in ("hist_exog", "futr_exog"):
            values = inputs[key]
            inputs[key] = None if values is None else last_axis(values).contiguous()
        static = inputs["stat_exog"]
        inputs["stat_exog"] = None if static is None else static[:num]
        # The classes fold [b, H * m, N] to [b, H, m * N]: a step's outputs first, then the series.
        raw = self.model(inputs).unflatten(-1, (self._num_outputs, num))  # [b, H, m, N]
        return raw.permute(0, 3, 1, 2).flatten(0, 1)


def roles_taken(network: Callable[..., Network]) -> frozenset[Role]:
    """What a network that is still to be built can be given; all, where its class is not known."""
    arguments: dict[str, Any] = {}
    builder: Any = network
    while isinstance(builder, partial):
        builder, arguments = builder.func, {**builder.keywords, **arguments}
    is_class = isinstance(builder, type) and issubclass(builder, Network)
    return builder.takes(**arguments) if is_class else frozenset(Role)


@contextmanager
def _quiet_seeding() -> Iterator[None]:
    """Keep a model's constructor from reseeding Python and numpy, and from saying so."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with quiet_lightning():
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@cache
def _model_class(name: str) -> Any:
    import neuralforecast.models as zoo  # seconds: brings ray

    if not hasattr(zoo, name):
        near = get_close_matches(name, zoo.__all__, n=3, cutoff=0.4)
        raise ConfigError(
            f"model.network.name={name!r} is no neuralforecast model; nearest: {', '.join(near)}"
        )
    return getattr(zoo, name)


def _check_options(model_class: Any, options: Mapping[str, Any]) -> None:
    """ConfigError for an option that the class does not name: it would take it and ignore it."""
    known = set(inspect.signature(model_class.__init__).parameters)
    if unknown := sorted(set(options) - known):
        near = get_close_matches(unknown[0], known, n=3, cutoff=0.4)
        raise ConfigError(
            f"model.network.options of {model_class.__name__}: there is no {unknown[0]!r};"
            f" nearest: {', '.join(near) or 'none'}"
        )


def _output_size(num_outputs: int) -> Any:
    """A neuralforecast loss that only says how many outputs a step has."""
    from neuralforecast.losses.pytorch import MQLoss

    return MQLoss(quantiles=[(i + 1) / (num_outputs + 1) for i in range(num_outputs)])


class Linear(Network):
    """One linear map from the flattened window to the outputs: the smallest honest network."""

    def __init__(self, *, shape: NetworkShape) -> None:
        super().__init__()
        width = shape.context * (2 + shape.num_observed) + shape.num_static
        width += shape.num_known * (shape.context + shape.horizon)
        self._outputs = (shape.horizon, shape.num_outputs)
        self.layer = nn.Linear(width, shape.horizon * shape.num_outputs)

    def forward(self, batch: WindowBatch) -> Tensor:
        """Raw outputs, [B, H, m]."""
        return self.layer(self.flat(batch)).unflatten(1, self._outputs)

    def flat(self, batch: WindowBatch) -> Tensor:
        """All that a window holds, side by side, [B, width]."""
        mask_BL1 = batch.seen_BLP[..., :1].to(batch.past_BLP.dtype)
        parts = (batch.past_BLP, mask_BL1, batch.known_past_BLK, batch.future_BHK)
        return torch.cat([*(part.flatten(1) for part in parts), batch.static_BC], dim=1)
