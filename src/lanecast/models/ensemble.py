"""Several forecasters as one: points and quantiles averaged (Vincentization).

The average of quantiles is as sharp as its members, where a pool of their distributions would be
wider than each (Lichtendahl et al. 2013).  Paths are those of the members in turn, moved from the
member's point to the common one: their shapes stay, and with them what is joint over the horizon.

Axes: ``W`` windows, ``H`` horizon, ``Q`` levels, ``S`` samples.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex
from lanecast.errors import ConfigError
from lanecast.models.protocol import Capabilities, Forecaster, Reporter
from lanecast.models.quantiles.finishing import finish
from lanecast.models.wrapping import Wrapping, described_together, earlier


class Ensemble(Wrapping):
    """The mean of its members; ``weights`` by member, equal where not given."""

    def __init__(
        self, *, members: Mapping[str, Any], name: str, weights: Mapping[str, float] | None = None
    ) -> None:
        self.members: dict[str, Forecaster] = {
            str(key): member for key, member in members.items() if member
        }
        if len(self.members) < 2:
            raise ConfigError(
                f"model.members names {sorted(self.members) or 'nobody'}; an ensemble has at least"
                " two members"
            )
        wanted = {str(key): float(value) for key, value in (weights or {}).items()}
        if (unknown := set(wanted) - set(self.members)) or any(x <= 0 for x in wanted.values()):
            raise ConfigError(
                f"model.weights must be positive and of members: {sorted(unknown) or wanted}; the"
                f" members are {', '.join(self.members)}"
            )
        raw = {key: wanted.get(key, 1.0) for key in self.members}
        self.weights = {key: value / sum(raw.values()) for key, value in raw.items()}
        self.name = name
        self.fitted_until: int | None = None

    @property
    def wrapped(self) -> Mapping[str, Forecaster]:
        """The members."""
        return self.members

    def describe(self) -> Capabilities:
        """What the members are together."""
        return described_together(
            [member.describe() for member in self.members.values()], [*self.members]
        )

    def fit(self, panel: Panel, *, until: int, reporter: Reporter | None = None) -> Self:
        """Fit one member after the other; the curves and checkpoints are the first one's."""
        for number, member in enumerate(self.members.values()):
            member.fit(panel, until=until, reporter=None if number else reporter)
        self.fitted_until = until
        return self

    def with_horizon(self, horizon: int) -> Self:
        """An unfitted ensemble of such copies of the members, with the same weights."""
        return self._of({key: member.with_horizon(horizon) for key, member in self.members.items()})

    def as_of(self, panel: Panel, *, until: int) -> Self | None:
        """The members as they stood then; those that did not are fitted anew, unless none did."""
        standing = {key: member.as_of(panel, until=until) for key, member in self.members.items()}
        if not any(standing.values()):
            return None
        other = self._of(
            {
                key: earlier(self.members[key], panel, until=until) if member is None else member
                for key, member in standing.items()
            }
        )
        other.fitted_until = until
        return other

    def _of(self, members: Mapping[str, Forecaster]) -> Self:
        """The same ensemble of other members, unfitted."""
        other = copy.copy(self)
        other.members, other.fitted_until = dict(members), None
        return other

    def predict(
        self,
        panel: Panel,
        *,
        at: WindowIndex,
        quantiles: Sequence[float] | None = None,
        samples: int | None = None,
        seed: int = 0,
    ) -> Forecasts:
        """The weighted mean of what the members say."""
        by_member = {
            key: member.predict(panel, at=at, quantiles=quantiles, samples=samples, seed=seed)
            for key, member in self.members.items()
        }
        point_WH = self._mean({key: forecasts.point_WH for key, forecasts in by_member.items()})
        grids = {
            key: x.quantiles_WHQ for key, x in by_member.items() if x.quantiles_WHQ is not None
        }
        paths_SWH = None
        if samples:
            paths_SWH = np.empty((samples, *point_WH.shape))
            owner_S = np.arange(samples) % len(by_member)
            for number, forecasts in enumerate(by_member.values()):
                assert forecasts.samples_SWH is not None
                own_S = owner_S == number
                paths_SWH[own_S] = forecasts.samples_SWH[own_S] - forecasts.point_WH + point_WH
        return finish(
            panel=panel,
            at=at,
            point_WH=point_WH,
            levels=tuple(quantiles or ()),
            quantiles_WHQ=self._mean(grids) if grids else None,
            samples_SWH=paths_SWH,
        )

    def _mean(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        total = np.zeros_like(next(iter(values.values())), dtype=np.float64)
        for key, value in values.items():
            total += self.weights[key] * value
        return total
