"""The program's matrices: one block for the first stage, one for a scenario, stacked by `program`.

Columns of the first stage: trailers ``y`` [L, T], heads ``n`` [S, T, K], start patterns ``m``.
Columns of a scenario: ad-hoc trailers ``e`` [L, T], loads and packages rolled [J, T], rerouted
``x`` [L, T], sorted ``P``, backlog ``B`` and overtime hours ``O`` [S, T, K], and for stages that go
on [J, T] sorted on ``Z`` and their own backlog ``U``.  A scenario's rows read ``lower <= link first
+ own recourse <= upper``; only the rows of volume differ between scenarios. Axes: ``L`` lanes,
``J`` stages, ``S`` sites, ``T`` days, ``K`` shifts, ``W`` scenarios.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lanecast.planning.contracts import State
from lanecast.planning.parameters import Parameters

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

INF = float("inf")


class ColumnBlocks:
    """Names of blocks of columns, in order, and where each begins."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self.number: dict[str, np.ndarray] = {}
        self.total = 0
        for name, shape in shapes.items():
            size = int(np.prod(shape))
            self.number[name] = np.arange(self.total, self.total + size).reshape(shape)
            self.total += size

    def __getitem__(self, name: str) -> np.ndarray:
        return self.number[name]


class SparseRows:
    """Sparse rows as they are written down: ``add`` takes arrays of rows of one kind."""

    def __init__(self) -> None:
        self.parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        self.lower: list[np.ndarray] = []
        self.upper: list[np.ndarray] = []
        self.count = 0

    def new(self, shape: tuple[int, ...], *, lower: object, upper: object) -> np.ndarray:
        """Numbers of new rows of that shape."""
        rows = np.arange(self.count, self.count + int(np.prod(shape))).reshape(shape)
        self.count += rows.size
        self.lower.append(np.broadcast_to(np.asarray(lower, dtype=np.float64), shape).ravel())
        self.upper.append(np.broadcast_to(np.asarray(upper, dtype=np.float64), shape).ravel())
        return rows

    def put(self, side: str, rows: np.ndarray, columns: np.ndarray, value: object) -> None:
        """Coefficients ``value`` at (rows, columns), broadcast against one another."""
        r, c, v = np.broadcast_arrays(rows, columns, np.asarray(value, dtype=np.float64))
        self.parts.setdefault(side, []).append((r.ravel(), c.ravel(), v.ravel()))

    def matrix(self, side: str, width: int) -> csr_matrix:
        """The coefficients of one side, [rows, width]."""
        from scipy.sparse import coo_matrix

        parts = self.parts.get(side, [])
        if not parts:
            return coo_matrix((self.count, width)).tocsr()
        r, c, v = (np.concatenate(x) for x in zip(*parts, strict=True))
        return coo_matrix((v, (r, c)), shape=(self.count, width)).tocsr()

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of all rows."""
        none = np.zeros(0)
        lower = np.concatenate(self.lower) if self.lower else none
        return lower, np.concatenate(self.upper) if self.upper else none


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStage:
    """Columns of what is decided before volumes are known, their prices and bounds, own rows."""

    columns: ColumnBlocks
    cost: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    rows: csr_matrix
    row_lower: np.ndarray
    row_upper: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One scenario: ``link`` times the first stage and ``own`` times its recourse.

    ``volume_rows`` [L, T] are those that hold a lane's volume, ``kinds`` the price of each column
    by kind of cost; ``lower`` and ``upper`` are for volume zero.
    """

    columns: ColumnBlocks
    kinds: dict[str, np.ndarray]
    column_upper: np.ndarray
    link: csr_matrix
    own: csr_matrix
    lower: np.ndarray
    upper: np.ndarray
    volume_rows: np.ndarray

    @property
    def cost(self) -> np.ndarray:
        """Price of every recourse column, US dollars."""
        return np.sum(list(self.kinds.values()), axis=0)

    def bounds(self, volume_LT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row bounds of a scenario."""
        lower, upper = self.lower.copy(), self.upper.copy()
        rows = self.volume_rows.ravel()
        lower[rows] += volume_LT.ravel()
        upper[rows] += volume_LT.ravel()
        return lower, upper


def first_stage(parameters: Parameters, num_days: int) -> FirstStage:
    """Trailers and heads over the days, with fleet and start patterns."""
    lanes, sites, rules = parameters.lanes, parameters.sites, parameters.rules
    num_lanes, num_sites, shifts = parameters.num_lanes, parameters.num_sites, parameters.num_shifts
    starts = 0 if rules.days_on is None else num_days + rules.days_on - 1
    columns = ColumnBlocks(
        {
            "y": (num_lanes, num_days),
            "n": (num_sites, num_days, shifts),
            "m": (num_sites, starts, shifts),
        }
    )
    cost, lower = np.zeros(columns.total), np.zeros(columns.total)
    upper = np.full(columns.total, INF)
    y, n = columns["y"], columns["n"]
    cost[y] = lanes.contract_usd_per_trailer_L[:, None]
    upper[y] = lanes.contract_max_trailers_per_day_L[:, None]
    cost[n] = rules.wage_usd_per_hour * rules.shift_hours
    lower[n] = sites.heads_min_S[:, None, None]
    upper[n] = sites.heads_max_S[:, None, None]
    rows = SparseRows()
    if np.isfinite(rules.fleet_max_trailers_per_day):
        fleet = rows.new((num_days,), lower=-INF, upper=rules.fleet_max_trailers_per_day)
        rows.put("first", fleet[None, :], y, 1.0)
    if rules.days_on is not None:
        covered = rows.new(n.shape, lower=0.0, upper=0.0)
        rows.put("first", covered, n, 1.0)
        for day in range(num_days):  # starts day - days_on + 1 .. day, shifted to begin at 0
            covering = columns["m"][:, day : day + rules.days_on]
            rows.put("first", covered[:, day][:, None], covering, -1.0)
    row_lower, row_upper = rows.bounds()
    return FirstStage(
        columns=columns,
        cost=cost,
        lower=lower,
        upper=upper,
        rows=rows.matrix("first", columns.total),
        row_lower=row_lower,
        row_upper=row_upper,
    )


def scenario_block(
    parameters: Parameters, num_days: int, first: FirstStage, state: State | None = None
) -> Block:
    """What one scenario adds."""
    state = State.empty(parameters, num_days) if state is None else state
    stages = parameters.stages
    num_lanes, shifts = parameters.num_lanes, parameters.num_shifts
    per_site = (parameters.num_sites, num_days, shifts)
    columns = ColumnBlocks(
        {
            "e": (num_lanes, num_days),
            "load": (len(stages), num_days),
            "R": (len(stages), num_days),
            "x": (num_lanes, num_days),
            "P": per_site,
            "B": per_site,
            "O": per_site,
            "Z": (len(stages), num_days),
            "U": (len(stages), num_days),
        }
    )
    rows = SparseRows()
    volume_rows = _flow_rows(rows, columns, parameters, state)
    _capacity_rows(rows, columns, first.columns, parameters)
    _site_rows(rows, columns, first.columns, parameters, state)
    _onward_rows(rows, columns, parameters, state)
    lower, upper = rows.bounds()
    return Block(
        columns=columns,
        kinds=_prices(columns, parameters),
        column_upper=_column_upper(columns, parameters),
        link=rows.matrix("first", first.columns.total),
        own=rows.matrix("own", columns.total),
        lower=lower,
        upper=upper,
        volume_rows=volume_rows,
    )


def _flow_rows(
    rows: SparseRows, columns: ColumnBlocks, parameters: Parameters, state: State
) -> np.ndarray:
    """``load + R - R[t-1] + x (or - x, - Z of the stage before) = v``, by stage and day."""
    stages = parameters.stages
    num_days = columns["load"].shape[1]
    right_JT = np.zeros((len(stages), num_days))
    right_JT[:, 0] += state.rolled_J
    flow = rows.new(right_JT.shape, lower=right_JT, upper=right_JT)
    rows.put("own", flow, columns["load"], 1.0)
    rows.put("own", flow, columns["R"], 1.0)
    rows.put("own", flow[:, 1:], columns["R"][:, :-1], -1.0)
    own = np.flatnonzero(stages.first_J & ~stages.rerouted_J)
    other = np.flatnonzero(stages.first_J & stages.rerouted_J)
    rows.put("own", flow[other], columns["x"][stages.lane_J[other]], -1.0)
    open_L = np.zeros(parameters.num_lanes, dtype=bool)
    open_L[stages.lane_J[other]] = True
    leaving = own[open_L[stages.lane_J[own]]]
    rows.put("own", flow[leaving], columns["x"][stages.lane_J[leaving]], 1.0)
    onward = np.flatnonzero(stages.next_J >= 0)
    rows.put("own", flow[stages.next_J[onward]], columns["Z"][onward], -1.0)
    volume_rows = np.empty((parameters.num_lanes, num_days), dtype=np.int64)
    volume_rows[stages.lane_J[own]] = flow[own]
    return volume_rows


def _capacity_rows(
    rows: SparseRows, columns: ColumnBlocks, first: ColumnBlocks, parameters: Parameters
) -> None:
    """Loads fit into trailers; trailers fit through the doors where they arrive."""
    stages, lanes, sites = parameters.stages, parameters.lanes, parameters.sites
    cube_L1 = lanes.cube_pkg_per_trailer_L[:, None]
    fits = rows.new(columns["e"].shape, lower=-INF, upper=0.0)
    rows.put("own", fits[stages.carrier_J], columns["load"], 1.0)
    rows.put("own", fits, columns["e"], -cube_L1)
    rows.put("first", fits, first["y"], -cube_L1)
    doors_S = sites.doors_trailers_per_day_S
    shut = np.flatnonzero(np.isfinite(doors_S))
    place = np.full(len(doors_S), -1)
    place[shut] = np.arange(len(shut))
    num_days = columns["e"].shape[1]
    doors = rows.new((len(shut), num_days), lower=-INF, upper=doors_S[shut][:, None])
    inbound = np.flatnonzero(place[lanes.destination_L] >= 0)
    at = place[lanes.destination_L[inbound]]
    rows.put("own", doors[at], columns["e"][inbound], 1.0)
    rows.put("first", doors[at], first["y"][inbound], 1.0)


def _site_rows(
    rows: SparseRows,
    columns: ColumnBlocks,
    first: ColumnBlocks,
    parameters: Parameters,
    state: State,
) -> None:
    """The queue of every site from shift to shift, and what heads and overtime sort."""
    stages, sites, rules = parameters.stages, parameters.sites, parameters.rules
    end_J = parameters.lanes.destination_L[stages.carrier_J]
    num_days, shifts = columns["P"].shape[1:]
    share_SK = sites.arrival_share_SK
    coming_ST = np.zeros((parameters.num_sites, num_days))
    np.add.at(coming_ST, end_J, state.arriving_JT[:, :num_days])
    right_STK = coming_ST[:, :, None] * share_SK[:, None, :]
    right_STK[:, 0, 0] += state.backlog_S
    queue = rows.new(right_STK.shape, lower=right_STK, upper=right_STK)
    flat_SX = queue.reshape(len(queue), -1)
    rows.put("own", queue, columns["B"], 1.0)
    rows.put("own", queue, columns["P"], 1.0)
    rows.put("own", flat_SX[:, 1:], columns["B"].reshape(len(queue), -1)[:, :-1], -1.0)
    transit_J = parameters.lanes.transit_days_L[stages.carrier_J]
    for days in np.unique(transit_J[transit_J < num_days]):
        stage = np.flatnonzero(transit_J == days)
        sent = columns["load"][stage][:, : num_days - days]
        for shift in range(shifts):
            reached = queue[end_J[stage], days:, shift]
            rows.put("own", reached, sent, -share_SK[end_J[stage], shift][:, None])
    rate_S11 = sites.rate_pkg_per_hour_S[:, None, None]
    sorts = rows.new(queue.shape, lower=-INF, upper=0.0)
    rows.put("own", sorts, columns["P"], 1.0)
    rows.put("own", sorts, columns["O"], -rate_S11)
    rows.put("first", sorts, first["n"], -rate_S11 * rules.shift_hours)
    longer = rows.new(queue.shape, lower=-INF, upper=0.0)
    rows.put("own", longer, columns["O"], 1.0)
    rows.put("first", longer, first["n"], -rules.overtime_max_share * rules.shift_hours)


def _onward_rows(
    rows: SparseRows, columns: ColumnBlocks, parameters: Parameters, state: State
) -> None:
    """Packages that go on: their own backlog, inside what their site sorts and leaves."""
    stages = parameters.stages
    on = np.flatnonzero(stages.next_J >= 0)
    if not len(on):
        return
    num_days = columns["Z"].shape[1]
    right_JT = state.arriving_JT[on, :num_days].copy()
    right_JT[:, 0] += state.backlog_J[on]
    queue = rows.new(right_JT.shape, lower=right_JT, upper=right_JT)
    rows.put("own", queue, columns["U"][on], 1.0)
    rows.put("own", queue[:, 1:], columns["U"][on][:, :-1], -1.0)
    rows.put("own", queue, columns["Z"][on], 1.0)
    transit_J = parameters.lanes.transit_days_L[stages.carrier_J[on]]
    for days in np.unique(transit_J[transit_J < num_days]):
        some = np.flatnonzero(transit_J == days)
        sent = columns["load"][on[some]][:, : num_days - days]
        rows.put("own", queue[some, days:], sent, -1.0)
    end = parameters.lanes.destination_L[stages.carrier_J[on]]
    used = np.unique(end)
    at = np.searchsorted(used, end)
    within = rows.new((len(used), num_days), lower=-INF, upper=0.0)
    rows.put("own", within[at], columns["Z"][on], 1.0)
    rows.put("own", within[:, :, None], columns["P"][used], -1.0)
    inside = rows.new((len(used), num_days), lower=-INF, upper=0.0)
    rows.put("own", inside[at], columns["U"][on], 1.0)
    rows.put("own", inside, columns["B"][used][:, :, -1], -1.0)


def _prices(columns: ColumnBlocks, parameters: Parameters) -> dict[str, np.ndarray]:
    """Price of every recourse column by kind of cost; leftovers of the last day cost a multiple."""
    lanes, sites, rules = parameters.lanes, parameters.sites, parameters.rules
    last_T = np.ones(columns["R"].shape[1])
    last_T[-1] = rules.final_multiplier

    def priced(name: str, value: np.ndarray) -> np.ndarray:
        price = np.zeros(columns.total)
        price[columns[name]] = value
        return price

    end_of_day = np.zeros(columns["B"].shape)
    end_of_day[:, :, -1] = sites.backlog_usd_per_pkg_day_S[:, None] * last_T
    adhoc_L1 = (lanes.adhoc_multiplier_L * lanes.contract_usd_per_trailer_L)[:, None]
    roll_J = lanes.roll_usd_per_pkg_day_L[parameters.stages.lane_J]
    overtime = rules.overtime_multiplier * rules.wage_usd_per_hour
    return {
        "adhoc": priced("e", adhoc_L1),
        "roll": priced("R", roll_J[:, None] * last_T),
        "backlog": priced("B", end_of_day),
        "overtime": priced("O", np.asarray(overtime)),
        "reroute": priced("x", lanes.reroute_usd_per_pkg_L[:, None]),
    }


def _column_upper(columns: ColumnBlocks, parameters: Parameters) -> np.ndarray:
    upper = np.full(columns.total, INF)
    upper[columns["e"]] = parameters.lanes.adhoc_max_trailers_per_day_L[:, None]
    upper[columns["P"]] = parameters.sites.sort_max_pkg_per_shift_S[:, None, None]
    stages = parameters.stages
    open_L = np.zeros(parameters.num_lanes, dtype=bool)
    open_L[stages.lane_J[stages.rerouted_J]] = True
    upper[columns["x"][~open_L]] = 0.0
    ends = stages.next_J < 0
    upper[columns["Z"][ends]] = 0.0
    upper[columns["U"][ends]] = 0.0
    return upper
