"""Many runs of a plan under common random numbers, and whether its service can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import Plan, Scenarios
from lanecast.planning.parameters import Parameters
from lanecast.planning.simulation.engine import SimulatedRun, simulate
from lanecast.planning.simulation.options import SimulationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a plan sorts ``target`` of the packages on their day in ``share`` of the runs.

    ``low`` and ``high``: Wilson interval of that share.  ``said``: yes if it lies above what is
    wanted, no if below, undecided otherwise.
    """

    target: float
    wanted: float
    share: float
    low: float
    high: float
    runs: int
    said: str

    def __str__(self) -> str:
        return (
            f"{self.said}: at least {self.target:.0%} on time in {self.share:.0%} of {self.runs}"
            f" runs (interval {self.low:.0%} to {self.high:.0%}, wanted {self.wanted:.0%})"
        )


def replicate(
    parameters: Parameters,
    plan: Plan,
    volumes: Scenarios,
    *,
    options: SimulationOptions | None = None,
    seeds: Sequence[int] = (0,),
) -> list[SimulatedRun]:
    """A run for every volume path and seed; two plans meet the same delays under the same seed."""
    return [
        simulate(parameters, plan, volume_LT, options=options, seed=_of(seed, number))
        for number, volume_LT in enumerate(volumes.volume_WLT)
        for seed in seeds
    ]


def _of(seed: int, number: int) -> int:
    return seed * 1_000_003 + number


def verdict(
    runs: Sequence[SimulatedRun],
    *,
    target: float = 0.95,
    wanted: float = 0.9,
    confidence: float = 0.95,
) -> Verdict:
    """Judge the runs; PlanError without any."""
    if not runs:
        raise PlanError("no runs to judge; simulate at least one")
    kept = sum(run.on_time_share >= target for run in runs)
    low, high = wilson(kept, len(runs), confidence=confidence)
    said = "yes" if low >= wanted else "no" if high < wanted else "undecided"
    return Verdict(
        target=target, wanted=wanted, share=kept / len(runs), low=low, high=high, runs=len(runs),
        said=said,
    )  # fmt: skip


def wilson(hits: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a share (Wilson 1927); it stays within 0 and 1 and does not collapse at them."""
    from scipy.stats import norm

    if not 0 <= hits <= trials or trials < 1:
        raise PlanError(f"{hits} of {trials} is no share")
    z = float(norm.ppf(0.5 + confidence / 2))
    share, scale = hits / trials, 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))
