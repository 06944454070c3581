"""The same program once more, written to be read: labelled by lane, site, day and scenario
(linopy).

Slow, and the reference that `lanecast.planning.program.program` must equal; nothing plans with it.
Axes by name: lane, stage, site, day, shift, scenario.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import Scenarios, State
from lanecast.planning.parameters import Parameters
from lanecast.planning.program.options import Risk


def reference_cost(
    parameters: Parameters,
    scenarios: Scenarios,
    *,
    risk: Risk | None = None,
    state: State | None = None,
) -> float:
    """The optimum in US dollars; PlanError where linopy finds none."""
    model = reference_model(parameters, scenarios, risk=risk or Risk(), state=state)
    status, _ = model.solve(solver_name="highs", io_api="direct", output_flag=False)
    if status != "ok":
        raise PlanError(f"the reference program ended with {status!r}")
    return float(model.objective.value)


def reference_model(
    parameters: Parameters, scenarios: Scenarios, *, risk: Risk, state: State | None
) -> Any:
    """The program as a `linopy.Model`, its constraints by name."""
    import linopy

    told = _Told(parameters, scenarios, state)
    model = linopy.Model(force_dim_names=True)
    told.declare(model)
    _flow(told, model)
    _capacity(told, model)
    _sorting(told, model)
    _going_on(told, model)
    recourse = _recourse(told)
    objective = (told.contract * told.y).sum() + (told.pay * told.n).sum()
    objective = objective + (told.weight * recourse).sum()
    if risk.weight > 0:
        level = model.add_variables(name="value_at_risk")
        beyond = model.add_variables(lower=0, coords=[told.scenario], name="beyond")
        model.add_constraints(beyond - recourse + level >= 0, name="tail")
        tail = (told.weight * beyond).sum() / (1 - risk.level)
        objective = objective + risk.weight * (level + tail)
    model.add_objective(objective)
    return model


class _Told:
    """Parameters with labels, and the variables once they are declared."""

    def __init__(self, parameters: Parameters, scenarios: Scenarios, state: State | None) -> None:
        import pandas as pd
        import xarray as xr

        self.parameters, self.stages = parameters, parameters.stages
        self.state = state or State.empty(parameters, len(scenarios.days))
        self.days = len(scenarios.days)
        self.lane = pd.Index(parameters.lanes.name_L, name="lane")
        self.site = pd.Index(parameters.sites.name_S, name="site")
        self.day = pd.RangeIndex(self.days, name="day")
        self.shift = pd.RangeIndex(parameters.num_shifts, name="shift")
        self.stage = pd.RangeIndex(len(self.stages), name="stage")
        self.scenario = pd.RangeIndex(len(scenarios.weight_W), name="scenario")
        self.weight = xr.DataArray(scenarios.weight_W, coords=[self.scenario])
        self.volume = xr.DataArray(
            scenarios.volume_WLT, coords=[self.scenario, self.lane, self.day]
        )
        self.contract = self.by_lane(parameters.lanes.contract_usd_per_trailer_L)
        self.pay = parameters.rules.wage_usd_per_hour * parameters.rules.shift_hours

    def by_lane(self, value_L: np.ndarray) -> Any:
        """Values with the lanes' names."""
        import xarray as xr

        return xr.DataArray(value_L, coords=[self.lane])

    def by_site(self, value_S: np.ndarray) -> Any:
        """Values with the sites' names."""
        import xarray as xr

        return xr.DataArray(value_S, coords=[self.site])

    def declare(self, model: Any) -> None:
        """The variables, all >= 0, with their upper bounds."""
        lanes, sites, rules = self.parameters.lanes, self.parameters.sites, self.parameters.rules
        per_lane, per_site = [self.lane, self.day], [self.site, self.day, self.shift]
        most = self.by_lane(lanes.contract_max_trailers_per_day_L)
        self.y = model.add_variables(0, most, coords=per_lane, name="trailers")
        low, high = self.by_site(sites.heads_min_S), self.by_site(sites.heads_max_S)
        self.n = model.add_variables(low, high, coords=per_site, name="heads")
        if rules.days_on is not None:
            self._patterns(model, rules.days_on)
        if np.isfinite(rules.fleet_max_trailers_per_day):
            used = self.y.sum("lane")
            model.add_constraints(used <= rules.fleet_max_trailers_per_day, name="fleet")
        more = self.by_lane(lanes.adhoc_max_trailers_per_day_L)
        in_scenario = [self.scenario, *per_lane]
        self.e = model.add_variables(0, more, coords=in_scenario, name="adhoc")
        has_way = self.by_lane(np.array([float(bool(path)) for path in lanes.alternative]))
        no_end = has_way.where(has_way == 0, np.inf)
        self.x = model.add_variables(0, no_end, coords=in_scenario, name="rerouted")
        moving = [self.scenario, self.stage, self.day]
        self.load = model.add_variables(0, coords=moving, name="load")
        self.rolled = model.add_variables(0, coords=moving, name="rolled")
        self.onward = model.add_variables(0, coords=moving, name="sorted_on")
        self.waiting = model.add_variables(0, coords=moving, name="waiting_to_go_on")
        working = [self.scenario, *per_site]
        most_sorted = self.by_site(sites.sort_max_pkg_per_shift_S)
        self.sorted = model.add_variables(0, most_sorted, coords=working, name="sorted")
        self.backlog = model.add_variables(0, coords=working, name="backlog")
        self.overtime = model.add_variables(0, coords=working, name="overtime")

    def _patterns(self, model: Any, days_on: int) -> None:
        import pandas as pd

        first = pd.RangeIndex(1 - days_on, self.days, name="start")
        starts = model.add_variables(
            0, coords=[self.site, first, self.shift], name="start_patterns"
        )
        for day in range(self.days):
            covering = starts.sel(start=slice(day - days_on + 1, day), drop=True).sum("start")
            model.add_constraints(
                self.n.sel(day=day, drop=True) == covering, name=f"patterns_day_{day}"
            )


def _flow(told: _Told, model: Any) -> None:
    """Every package that wants to leave a stage's start is loaded, rolled or sent another way."""
    stages = told.stages
    before = {int(k): j for j, k in enumerate(stages.next_J) if k >= 0}
    for j in range(len(stages)):
        lane = told.lane[stages.lane_J[j]]
        for day in range(told.days):
            left = told.load.sel(stage=j, day=day, drop=True) + told.rolled.sel(
                stage=j, day=day, drop=True
            )
            came: Any = 0.0
            if day:
                left = left - told.rolled.sel(stage=j, day=day - 1, drop=True)
            else:
                came = came + told.state.rolled_J[j]
            if stages.first_J[j] and stages.rerouted_J[j]:
                left = left - told.x.sel(lane=lane, day=day, drop=True)
            elif stages.first_J[j]:
                left = left + told.x.sel(lane=lane, day=day, drop=True)
                came = came + told.volume.sel(lane=lane, day=day, drop=True)
            else:
                left = left - told.onward.sel(stage=before[j], day=day, drop=True)
            model.add_constraints(left == came, name=f"flow_stage_{j}_day_{day}")


def _capacity(told: _Told, model: Any) -> None:
    """Trailers carry so much, and doors take so many trailers."""
    lanes, sites, carrier_J = told.parameters.lanes, told.parameters.sites, told.stages.carrier_J
    for number, lane in enumerate(told.lane):
        carried = np.flatnonzero(carrier_J == number)
        room = lanes.cube_pkg_per_trailer_L[number] * (
            told.y.sel(lane=lane, drop=True) + told.e.sel(lane=lane, drop=True)
        )
        if len(carried):
            load = told.load.sel(stage=carried, drop=True).sum("stage")
            model.add_constraints(load - room <= 0, name=f"cube_{lane}")
    for number, site in enumerate(told.site):
        inbound = told.lane[lanes.destination_L == number]
        if len(inbound) and np.isfinite(doors := sites.doors_trailers_per_day_S[number]):
            trailers = told.y.sel(lane=inbound, drop=True).sum("lane") + told.e.sel(
                lane=inbound, drop=True
            ).sum("lane")
            model.add_constraints(trailers <= doors, name=f"doors_{site}")


def _arriving(told: _Told, stages: np.ndarray, day: int) -> tuple[Any, float]:
    """Packages that reach the end of some stages on a day: what was sent, and what came before."""
    transit_J = told.parameters.lanes.transit_days_L[told.stages.carrier_J]
    sent = [
        told.load.sel(stage=int(j), day=day - int(transit_J[j]), drop=True)
        for j in stages
        if day >= transit_J[j]
    ]
    total = None
    for one in sent:
        total = one if total is None else total + one
    return total, float(told.state.arriving_JT[stages, day].sum())


def _sorting(told: _Told, model: Any) -> None:
    """The queue of every site from shift to shift; heads and overtime bound what is sorted."""
    sites, rules = told.parameters.sites, told.parameters.rules
    end_J = told.parameters.lanes.destination_L[told.stages.carrier_J]
    for number, site in enumerate(told.site):
        for day in range(told.days):
            came, known = _arriving(told, np.flatnonzero(end_J == number), day)
            for shift in told.shift:
                at = {"site": site, "day": day, "shift": shift}
                share = sites.arrival_share_SK[number, shift]
                queue = told.backlog.sel(at, drop=True) + told.sorted.sel(at, drop=True)
                if shift:
                    queue = queue - told.backlog.sel(at | {"shift": shift - 1}, drop=True)
                elif day:
                    last = told.shift[-1]
                    queue = queue - told.backlog.sel(
                        at | {"day": day - 1, "shift": last}, drop=True
                    )
                if came is not None:
                    queue = queue - share * came
                begun = told.state.backlog_S[number] if not day and not shift else 0.0
                right = share * known + begun
                model.add_constraints(queue == right, name=f"queue_{site}_{day}_{shift}")
    rate = told.by_site(sites.rate_pkg_per_hour_S)
    hours = rules.shift_hours
    model.add_constraints(
        told.sorted - rate * hours * told.n - rate * told.overtime <= 0, name="rate"
    )
    allowed = rules.overtime_max_share * hours
    model.add_constraints(told.overtime - allowed * told.n <= 0, name="overtime_share")


def _going_on(told: _Told, model: Any) -> None:
    """Packages that change trailers: sorted at the site among the rest, and waiting among the"
    " rest."""
    stages = told.stages
    end_J = told.parameters.lanes.destination_L[stages.carrier_J]
    last = told.shift[-1]
    for j in range(len(stages)):
        if stages.next_J[j] < 0:
            model.add_constraints(told.onward.sel(stage=j, drop=True) <= 0, name=f"ends_{j}")
            model.add_constraints(
                told.waiting.sel(stage=j, drop=True) <= 0, name=f"ends_waiting_{j}"
            )
            continue
        for day in range(told.days):
            came, known = _arriving(told, np.array([j]), day)
            queue = told.waiting.sel(stage=j, day=day, drop=True) + told.onward.sel(
                stage=j, day=day, drop=True
            )
            right = known
            if day:
                queue = queue - told.waiting.sel(stage=j, day=day - 1, drop=True)
            else:
                right = right + float(told.state.backlog_J[j])
            if came is not None:
                queue = queue - came
            model.add_constraints(queue == right, name=f"onward_{j}_{day}")
    for number, site in enumerate(told.site):
        some = np.flatnonzero((end_J == number) & (stages.next_J >= 0))
        if len(some):
            on = told.onward.sel(stage=some, drop=True).sum("stage")
            done = told.sorted.sel(site=site, drop=True).sum("shift")
            model.add_constraints(on - done <= 0, name=f"sorted_on_{site}")
            waiting = told.waiting.sel(stage=some, drop=True).sum("stage")
            whole = told.backlog.sel(site=site, shift=last, drop=True)
            model.add_constraints(waiting - whole <= 0, name=f"waiting_{site}")


def _recourse(told: _Told) -> Any:
    """Recourse cost of every scenario; leftovers of the last day cost a multiple."""
    import xarray as xr

    lanes, sites, rules = told.parameters.lanes, told.parameters.sites, told.parameters.rules
    times = xr.DataArray(np.ones(told.days), coords=[told.day])
    times[-1] = rules.final_multiplier
    roll = xr.DataArray(lanes.roll_usd_per_pkg_day_L[told.stages.lane_J], coords=[told.stage])
    left = told.by_site(sites.backlog_usd_per_pkg_day_S)
    hour = rules.overtime_multiplier * rules.wage_usd_per_hour
    adhoc = told.contract * told.by_lane(lanes.adhoc_multiplier_L)
    return (
        (adhoc * told.e).sum(["lane", "day"])
        + (told.by_lane(lanes.reroute_usd_per_pkg_L) * told.x).sum(["lane", "day"])
        + (roll * times * told.rolled).sum(["stage", "day"])
        + (left * times * told.backlog.sel(shift=told.shift[-1], drop=True)).sum(["site", "day"])
        + (hour * told.overtime).sum(["site", "day", "shift"])
    )
