"""Hold the declared graph against the data: which of its absences do the data contradict?

It never proposes an edge.  For each declared absence it asks whether the source still tells
something of the target's residual once the target's own inputs are known.  Residuals come from
mechanisms fitted on an earlier part of the history, so that a test never sees its own fit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lanecast.causal.falsification.absences import Absence, AbsenceKind, declared_absences
from lanecast.causal.falsification.innovations import Innovations, innovations
from lanecast.causal.falsification.standard_errors import (
    Partial,
    Product,
    benjamini_hochberg,
    product,
)
from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.fitting import FitBudget
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.panel import Panel
from lanecast.errors import ConfigError

MIN_ROWS, MIN_DAYS = 200, 20
_UNTOLD = 1e-4  # share of a candidate's variance that its target's inputs must leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One test.  ``rejected``: q <= alpha; ``material``: and the partial correlation |r| >= floor.

    The source is read ``lag`` steps before the target.
    """

    kind: AbsenceKind
    source: str
    target: str
    lag: int
    rows: int
    r: float
    statistic: float
    p: float
    q: float
    rejected: bool
    material: bool

    def __str__(self) -> str:
        """``orders(t-2) -> promo (r=+0.08, q=0.0003)``."""
        when = f"(t-{self.lag})" if self.lag else "(t)"
        arrow = "<->" if self.kind is AbsenceKind.HIDDEN_CAUSE else "->"
        return f"{self.source}{when} {arrow} {self.target} (r={self.r:+.3f}, q={self.q:.2g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested:
    """A declared absence that the data cannot speak to, and why."""

    kind: AbsenceKind
    source: str
    target: str
    lag: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Falsification:
    """What the steps ``first .. last`` say of the graph ``dag_hash``.

    With many rows any misfit becomes significant, so that a contradiction is called ``material``
    only from a partial correlation of ``floor`` on: a missing parent worth floor^2 of the variance
    that the mechanism leaves (0.02: 0.04 %).
    """

    dag_hash: str
    first: int
    last: int
    alpha: float
    floor: float
    rows: tuple[Row, ...]
    untested: tuple[Untested, ...]

    @property
    def contradicted(self) -> tuple[Row, ...]:
        """Absences that the data contradict materially, the strongest first."""
        material = (row for row in self.rows if row.material)
        return tuple(sorted(material, key=lambda row: -abs(row.r)))

    @property
    def passed(self) -> bool:
        """Whether no absence is contradicted; also true of a test that had too little to go by."""
        return not self.contradicted

    @property
    def counts(self) -> dict[str, int]:
        """Tests, rejections, and absences left untested, by reason."""
        reasons = Counter(absence.reason for absence in self.untested)
        return {
            "tests": len(self.rows),
            "rejected": sum(row.rejected for row in self.rows),
            "material": len(self.contradicted),
            "untested": len(self.untested),
            **{f"untested: {reason}": count for reason, count in sorted(reasons.items())},
        }

    @property
    def verdict(self) -> str:
        """One sentence for the record."""
        left = f"; {len(self.untested)} could not be tested" if self.untested else ""
        if not self.rows:
            return f"DAG {self.dag_hash}: nothing could be tested{left}"
        tests = f"{len(self.rows)} declared absences at a false discovery rate of {self.alpha:g}"
        if self.passed:
            return (
                f"DAG {self.dag_hash}: the data contradict none of {tests}"
                f" (|r| >= {self.floor:g}){left}"
            )
        worst = ", ".join(str(row) for row in self.contradicted[:3])
        more = len(self.contradicted) - 3
        others = f" and {more} more" if more > 0 else ""
        return (
            f"DAG {self.dag_hash}: the data contradict {len(self.contradicted)} of {tests}:"
            f" {worst}{others}{left}"
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values for a run's record."""
        return {
            "dag_hash": self.dag_hash,
            "first": self.first,
            "last": self.last,
            "alpha": self.alpha,
            "floor": self.floor,
            "verdict": self.verdict,
            "counts": self.counts,
            "rows": [{**asdict(row), "kind": str(row.kind)} for row in self.rows],
            "untested": [
                {**asdict(absence), "kind": str(absence.kind)} for absence in self.untested
            ],
        }


def falsify(
    graph: Graph,
    panel: Panel,
    *,
    until: int,
    share: float = 0.5,
    alpha: float = 0.05,
    floor: float = 0.02,
    max_lag: int | None = None,
    budget: FitBudget | None = None,
    seed: int = 1,
) -> Falsification:
    """Fit on the first ``share`` of the steps up to ``until`` and test the graph on the rest."""
    if not 0 < share < 1:
        raise ConfigError(f"falsify: share={share} leaves nothing to fit on or nothing to test on")
    begin = int(panel.start.min())
    split = begin + int((until + 1 - begin) * share)
    layer = CausalLayer(graph=graph, budget=budget, seed=seed).fit(panel, until=split)
    return held_against(layer, panel, until=until, alpha=alpha, floor=floor, max_lag=max_lag)


def held_against(
    layer: CausalLayer,
    panel: Panel,
    *,
    until: int,
    alpha: float = 0.05,
    floor: float = 0.02,
    max_lag: int | None = None,
) -> Falsification:
    """Test the graph of a fitted layer on the steps after its fit that are known at ``until``."""
    if not 0 < alpha < 1 or not 0 <= floor < 1:
        raise ConfigError(f"falsify: alpha={alpha} and floor={floor} must lie between 0 and 1")
    layer.check(until)
    assert layer.fitted_until is not None
    graph = layer.graph
    reach = graph.max_lag if max_lag is None else max_lag
    absences = declared_absences(graph, layer.wiring, max_lag=reach)
    deepest = max((absence.lag for absence in absences), default=0)
    residuals = innovations(layer, panel, first=layer.fitted_until + 1, last=until, reach=deepest)
    results: list[tuple[Absence, int, Product]] = []
    untested: list[Untested] = []
    for target in graph.order:
        bench = _Bench(layer, residuals, target)
        for absence in (absence for absence in absences if absence.target == target):
            answer = absence.reason or bench.test(absence)
            if isinstance(answer, str):
                untested.append(_untested(absence, answer))
            else:
                results.append((absence, *answer))
    q = benjamini_hochberg(np.array([result.p for _, _, result in results]))
    rows = [
        _row(absence, count, result, float(q[k]), alpha, floor)
        for k, (absence, count, result) in enumerate(results)
    ]
    return Falsification(
        dag_hash=graph.dag_hash,
        first=residuals.first,
        last=until,
        alpha=alpha,
        floor=floor,
        rows=tuple(sorted(rows, key=lambda row: _RANK[row.kind])),
        untested=tuple(sorted(untested, key=lambda absence: _RANK[absence.kind])),
    )


_RANK = {kind: rank for rank, kind in enumerate(AbsenceKind)}


class _Bench:
    """Tests of one target; projections are kept for each set of rows."""

    def __init__(self, layer: CausalLayer, residuals: Innovations, target: str) -> None:
        self._residuals, self._node = residuals, layer.node(target)
        self._open_E = layer.wiring.mask_JE[self._node].numpy()
        self._partials: dict[bytes, Partial] = {}

    def test(self, absence: Absence) -> tuple[int, Product] | str:
        """Number of rows and the result, or why there is none."""
        residuals, node = self._residuals, self._node
        if absence.kind is AbsenceKind.HIDDEN_CAUSE:
            values = residuals.u_NTJ[..., absence.column]
            seen = residuals.valid_NTJ[..., absence.column]
        else:
            values, seen = residuals.lagged(absence.column, absence.lag)
        rows_NT = residuals.valid_NTJ[..., node] & seen
        series_R, day_R = np.nonzero(rows_NT)
        if len(day_R) < MIN_ROWS or len(np.unique(day_R)) < MIN_DAYS:
            return f"fewer than {MIN_ROWS} rows or {MIN_DAYS} steps hold both"
        candidate_R = values[rows_NT].astype(np.float64)
        spread = float(candidate_R.var())
        if spread < 1e-10:
            return "the source never varies"
        left_R = self._partial(rows_NT).left_of(candidate_R)
        if float((left_R**2).mean()) < _UNTOLD * spread:
            return "the target's inputs tell the source"
        u_R = residuals.u_NTJ[..., node][rows_NT].astype(np.float64)
        return len(u_R), product(u_R, left_R, series_R=series_R, day_R=day_R)

    def _partial(self, rows_NT: np.ndarray) -> Partial:
        key = np.packbits(rows_NT).tobytes()
        if key not in self._partials:
            weight_R = self._residuals.weight_NTJ[..., self._node][rows_NT].astype(np.float64)
            inputs_RK = self._residuals.features(self._node, self._open_E, rows_NT)
            self._partials = {key: Partial.of(inputs_RK, weight_R)}  # one at a time: they are large
        return self._partials[key]


def _untested(absence: Absence, reason: str) -> Untested:
    return Untested(
        kind=absence.kind,
        source=absence.source,
        target=absence.target,
        lag=absence.lag,
        reason=reason,
    )


def _row(
    absence: Absence, count: int, result: Product, q: float, alpha: float, floor: float
) -> Row:
    return Row(
        kind=absence.kind,
        source=absence.source,
        target=absence.target,
        lag=absence.lag,
        rows=count,
        r=result.correlation,
        statistic=result.statistic,
        p=result.p,
        q=q,
        rejected=q <= alpha,
        material=q <= alpha and abs(result.correlation) >= floor,
    )
