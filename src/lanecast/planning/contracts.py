"""What goes into a plan and what comes out: volumes, plans, outcomes, and their tables.

Axes: ``W`` scenarios, ``L`` lanes, ``T`` days, ``S`` sites, ``K`` shifts, ``J`` stages (see
`lanecast.planning.parameters`).  A table carries ``schema_version`` and is refused where it has
another; its cube of lane x day x sample must be complete.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.parameters import Parameters

SCHEMA_VERSION = 1
COSTS = ("contract", "labor", "adhoc", "roll", "backlog", "overtime", "reroute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """Joint sample paths of volume: scenario ``w`` is one future of all lanes and days at once.

    ``unit`` must be the one that the parameters are priced in.  Volumes are finite and >= 0;
    probabilities add up to 1 (None: all alike).
    """

    volume_WLT: np.ndarray
    lanes: np.ndarray
    days: np.ndarray
    probability_W: np.ndarray | None = None
    unit: str = "packages"
    source: str = ""  # of what run they come: folder or hash

    def __post_init__(self) -> None:
        shape = (self.volume_WLT.shape[0], len(self.lanes), len(self.days))
        if self.volume_WLT.shape != shape or 0 in shape:
            raise PlanError(
                f"volumes have shape {self.volume_WLT.shape}, which is not scenarios x"
                f" {len(self.lanes)} lanes x {len(self.days)} days; every lane needs a value for"
                " every day and sample"
            )
        bad = np.argwhere(~(np.isfinite(self.volume_WLT) & (self.volume_WLT >= 0)))
        if len(bad):
            w, lane, day = bad[0]
            raise PlanError(
                f"volume of lane {str(self.lanes[lane])!r} on {self.days[day]} in sample {w} is"
                f" {self.volume_WLT[w, lane, day]:g}; a plan needs finite volumes >= 0"
            )
        if self.probability_W is None:
            return
        p = np.asarray(self.probability_W)
        if p.shape != shape[:1] or not (np.isfinite(p) & (p >= 0)).all() or abs(p.sum() - 1) > 1e-9:
            raise PlanError(
                "probabilities of the scenarios must be >= 0 and add up to 1, one for each"
            )

    @property
    def weight_W(self) -> np.ndarray:
        """Probability of each scenario."""
        count = len(self.volume_WLT)
        return np.full(count, 1.0 / count) if self.probability_W is None else self.probability_W

    @property
    def fingerprint(self) -> str:
        """Hash of lanes, days, volumes and probabilities."""
        digest = hashlib.sha256(repr((self.lanes.tolist(), [str(d) for d in self.days])).encode())
        digest.update(np.ascontiguousarray(self.volume_WLT, dtype=np.float64).tobytes())
        digest.update(np.ascontiguousarray(self.weight_W, dtype=np.float64).tobytes())
        return digest.hexdigest()[:16]

    def require(self, parameters: Parameters, *, unit: str = "packages") -> None:
        """PlanError unless these are the parameters' lanes, in order, and the unit is theirs."""
        if self.unit != unit:
            raise PlanError(f"volumes are in {self.unit}, parameters are priced in {unit}")
        names = parameters.lanes.name_L
        if missing := sorted(set(map(str, names)) - set(map(str, self.lanes))):
            raise PlanError(f"no volume for lane {missing[0]!r} ({len(missing)} lanes lack one)")
        if extra := sorted(set(map(str, self.lanes)) - set(map(str, names))):
            raise PlanError(f"no parameters for lane {extra[0]!r} ({len(extra)} lanes lack them)")
        if not np.array_equal(names, self.lanes):
            raise PlanError("volumes and parameters name the same lanes in another order; sort one")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is under way on the evening before the first day; all zero at a fresh start.

    ``rolled_J`` packages left at the start of each stage, ``backlog_S`` unsorted ones at each
    site, ``backlog_J`` those of them that go on over a next stage, ``arriving_JT`` packages that
    reach the end of stage ``j`` on day ``t``, sent before.
    """

    rolled_J: np.ndarray
    backlog_S: np.ndarray
    backlog_J: np.ndarray
    arriving_JT: np.ndarray

    @classmethod
    def empty(cls, parameters: Parameters, num_days: int) -> State:
        """Nothing under way."""
        stages = len(parameters.stages)
        return cls(
            rolled_J=np.zeros(stages),
            backlog_S=np.zeros(parameters.num_sites),
            backlog_J=np.zeros(stages),
            arriving_JT=np.zeros((stages, num_days)),
        )

    def over(self, num_days: int) -> State:
        """The same, with arrivals of exactly so many days; later ones are left out."""
        arriving_JT = np.zeros((len(self.rolled_J), num_days))
        known = min(num_days, self.arriving_JT.shape[1])
        arriving_JT[:, :known] = self.arriving_JT[:, :known]
        return replace(self, arriving_JT=arriving_JT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The first stage: contracted trailers per lane and day, heads per site, day and shift.

    ``kind`` says how it was made (stochastic, mean, q90, ...); ``parameters`` and ``scenarios`` are
    the fingerprints of what it was made from, ``source`` the run whose forecast that was.
    """

    trailers_LT: np.ndarray
    heads_STK: np.ndarray
    lanes: np.ndarray
    sites: np.ndarray
    days: np.ndarray
    kind: str
    parameters: str = ""
    scenarios: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """US dollars by scenario and kind of cost; contract and labor are the first stage's."""

    by_kind: dict[str, np.ndarray]  # each [W]

    @property
    def total_W(self) -> np.ndarray:
        """All kinds together."""
        return np.sum([self.by_kind[kind] for kind in COSTS], axis=0)

    @property
    def first_stage(self) -> float:
        """Contracted trailers and rostered heads, the same in every scenario."""
        return float(self.by_kind["contract"][0] + self.by_kind["labor"][0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Flows:
    """What moves in each scenario; see DESIGN 8.  Volumes in packages, overtime in hours."""

    adhoc_WLT: np.ndarray
    load_WJT: np.ndarray
    rolled_WJT: np.ndarray
    rerouted_WLT: np.ndarray
    arrived_WST: np.ndarray
    sorted_WSTK: np.ndarray
    backlog_WSTK: np.ndarray
    overtime_WSTK: np.ndarray
    sorted_on_WJT: np.ndarray  # of stages with a next one: sorted, and on its way there


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A plan under scenarios: costs, flows where asked, and how the optimum was reached."""

    plan: Plan
    costs: Costs
    weight_W: np.ndarray
    objective: float  # what was minimized: expected cost, and lambda CVaR where asked
    bound: float  # no plan of the same program costs less
    seconds: float
    flows: Flows | None = None
    demand_dual_WLT: np.ndarray | None = None  # d objective / d volume
    notes: tuple[str, ...] = field(default=())

    @property
    def gap(self) -> float:
        """(objective - bound) / |objective|; 0 where solved to optimality."""
        return max(0.0, self.objective - self.bound) / max(abs(self.objective), 1e-12)

    @property
    def expected(self) -> float:
        """Expected cost over the scenarios."""
        return float(self.weight_W @ self.costs.total_W)
