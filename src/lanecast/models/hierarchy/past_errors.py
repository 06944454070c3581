"""How every node of a hierarchy was forecast before: values, points and normal scores, by name.

Axes: ``M`` nodes, ``R`` past origins, ``H`` horizon, ``T`` origin x step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lanecast.models.hierarchy.projection import Past
from lanecast.models.quantiles.copula import Copula


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPast:
    """The past of some nodes, complete: what a projection and a draw of paths need."""

    values: Past
    copula: Copula

    def errors(self, horizon: int, *, center: bool) -> np.ndarray:
        """What was missed at each origin, [R, M, H]; without its mean over origins if centered."""
        error_MT = self.values.actual_MT - self.values.forecast_MT
        error_MRH = error_MT.reshape(len(error_MT), -1, horizon)
        if center:
            error_MRH = error_MRH - error_MRH.mean(axis=1, keepdims=True)
        return np.moveaxis(error_MRH, 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePast:
    """``filled``: share of (node, origin, step) that was not known and was filled in.

    A missing value takes the node's mean, and its error one drawn with the node's mean square: its
    variance stays, and it moves together with nothing.  A node that was never seen takes the mean
    relative error of the others, and a value of 0.
    """

    names: tuple[str, ...]
    actual_MT: np.ndarray
    forecast_MT: np.ndarray
    copula: Copula
    filled: float
    place: dict[str, int] = field(repr=False)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        actual_MRH: np.ndarray,
        forecast_MRH: np.ndarray,
        score_MRH: np.ndarray,
    ) -> NodePast:
        """From arrays with NaN where something was not known."""
        nodes = len(names)
        actual_MT, forecast_MT = (x.reshape(nodes, -1) for x in (actual_MRH, forecast_MRH))
        seen_MT = np.isfinite(actual_MT) & np.isfinite(forecast_MT)
        actual_MT, error_MT = _filled(names, actual_MT, actual_MT - forecast_MT, seen_MT)
        return cls(
            names=tuple(names),
            actual_MT=actual_MT,
            forecast_MT=actual_MT - error_MT,
            copula=Copula.of(score_MRH),
            filled=float((~seen_MT).mean()),
            place={name: at for at, name in enumerate(names)},
        )

    def rows(self, names: Sequence[str]) -> KnownPast:
        """Of the named nodes; one that was not there at the fit is filled as never seen."""
        known = [self.place.get(name, -1) for name in names]
        if min(known) < 0:
            return self._with_new(names).rows(names)
        rows = np.array(known)
        values = Past(actual_MT=self.actual_MT[rows], forecast_MT=self.forecast_MT[rows])
        return KnownPast(values=values, copula=self.copula.rows(rows))

    def warning(self) -> str | None:
        """What the record should say where much had to be filled."""
        if self.filled < 0.2:
            return None
        return (
            f"{100 * self.filled:.0f} % of the past errors behind the reconciliation were not known"
            " (series that are young or have gaps) and were filled with the size of the others"
        )

    def _with_new(self, names: Sequence[str]) -> NodePast:
        new = [name for name in names if name not in self.place]
        steps = self.actual_MT.shape[1]
        actual_MT = np.concatenate([self.actual_MT, np.full((len(new), steps), np.nan)])
        error_MT = np.concatenate(
            [self.actual_MT - self.forecast_MT, np.full((len(new), steps), np.nan)]
        )
        all_names = (*self.names, *new)
        actual_MT, error_MT = _filled(all_names, actual_MT, error_MT, np.isfinite(error_MT))
        none_MK = np.zeros((len(new), self.copula.vectors_MK.shape[1]), dtype=np.float32)
        return NodePast(
            names=all_names,
            actual_MT=actual_MT,
            forecast_MT=actual_MT - error_MT,
            copula=Copula(
                vectors_MK=np.concatenate([self.copula.vectors_MK, none_MK]),
                correlation_HH=self.copula.correlation_HH,
                shrink=self.copula.shrink,
            ),
            filled=self.filled,
            place={name: at for at, name in enumerate(all_names)},
        )

    def save(self, path: Path) -> None:
        """Write plain arrays."""
        np.savez(
            path,
            names=np.array(self.names, dtype=str),
            actual=self.actual_MT,
            forecast=self.forecast_MT,
            vectors=self.copula.vectors_MK,
            correlation=self.copula.correlation_HH,
            numbers=np.array([self.copula.shrink, self.filled]),
        )

    @classmethod
    def load(cls, path: Path) -> NodePast:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            names = tuple(str(name) for name in file["names"])
            shrink, filled = (float(x) for x in file["numbers"])
            return cls(
                names=names,
                actual_MT=file["actual"],
                forecast_MT=file["forecast"],
                copula=Copula(
                    vectors_MK=file["vectors"], correlation_HH=file["correlation"], shrink=shrink
                ),
                filled=filled,
                place={name: at for at, name in enumerate(names)},
            )


def _filled(
    names: Sequence[str], actual_MT: np.ndarray, error_MT: np.ndarray, seen_MT: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values and errors without NaN; see `NodePast`."""
    count_M = seen_MT.sum(axis=1)
    known_M = np.maximum(count_M, 1)
    mean_M = np.where(seen_MT, actual_MT, 0.0).sum(axis=1) / known_M
    size_M = np.sqrt((np.where(seen_MT, error_MT, 0.0) ** 2).sum(axis=1) / known_M)
    volume, missed = np.abs(mean_M[count_M > 0]).sum(), size_M[count_M > 0].sum()
    shared = missed / volume if volume > 0 else 1.0
    least = 1e-6 * float(np.abs(mean_M).mean()) or 1e-9
    typical = float(np.median(np.abs(mean_M[count_M > 0]))) if (count_M > 0).any() else 1.0
    size_M = np.where(count_M > 0, size_M, shared * typical)
    drawn_MT = np.zeros_like(error_MT)
    for row in np.flatnonzero((count_M < seen_MT.shape[1]) | (size_M <= least)).tolist():
        key = int.from_bytes(hashlib.sha256(names[row].encode()).digest()[:8], "little")
        drawn_MT[row] = np.random.default_rng(key).standard_normal(error_MT.shape[1])
    error_MT = np.where(seen_MT, error_MT, drawn_MT * np.maximum(size_M, least)[:, None])
    # A node that never erred would be taken as known: it keeps an error too small to matter.
    error_MT = error_MT + np.where(size_M <= least, least, 0.0)[:, None] * drawn_MT
    return np.where(seen_MT, actual_MT, mean_M[:, None]), error_MT
