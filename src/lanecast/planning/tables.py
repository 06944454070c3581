"""Plans, outcomes and sample paths as tables, with a version and the hashes that tie them together.

Axes: ``W`` scenarios, ``L`` lanes, ``T`` days, ``S`` sites, ``K`` shifts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lanecast.errors import PlanError
from lanecast.planning.contracts import COSTS, SCHEMA_VERSION, Outcome, Plan, Scenarios

if TYPE_CHECKING:
    import pandas as pd

KEY = b"lanecast"


def scenarios_from(
    frame: pd.DataFrame, *, column: str, days: int, unit: str, source: str = ""
) -> Scenarios:
    """Joint paths from a table ``unique_id, ds, sample, <column>`` of one cutoff, its first days.

    PlanError if a lane lacks a day or a sample, has one twice, or the table covers fewer days.
    """
    for name in ("unique_id", "ds", "sample", column):
        if name not in frame:
            raise PlanError(f"the table of samples has no column {name!r}; it has {list(frame)}")
    times = np.sort(frame["ds"].unique())
    if len(times) < days:
        raise PlanError(
            f"the plan asks for {days} days, but the samples cover {len(times)}, from"
            f" {_day(times[0])} to {_day(times[-1])}; plan fewer days=, or forecast a longer"
            " horizon"
        )
    frame = frame[frame["ds"].isin(times[:days])]
    lanes, samples = np.sort(frame["unique_id"].unique()), np.sort(frame["sample"].unique())
    lane = np.searchsorted(lanes, frame["unique_id"].to_numpy())
    day = np.searchsorted(times[:days], frame["ds"].to_numpy())
    sample = np.searchsorted(samples, frame["sample"].to_numpy())
    shape = (len(samples), len(lanes), days)
    count_WLT = np.zeros(shape, dtype=np.int64)
    np.add.at(count_WLT, (sample, lane, day), 1)
    if len(bad := np.argwhere(count_WLT != 1)):
        w, at, t = bad[0]
        count = "none" if count_WLT[w, at, t] == 0 else f"{count_WLT[w, at, t]} rows"
        raise PlanError(
            f"lane {str(lanes[at])!r} on {_day(times[t])} in sample {samples[w]}: {count}, not one"
            f" ({len(bad)} of {count_WLT.size} cells of lane x day x sample)"
        )
    volume_WLT = np.empty(shape)
    volume_WLT[sample, lane, day] = frame[column].to_numpy(dtype=np.float64)
    return Scenarios(
        volume_WLT=volume_WLT,
        lanes=lanes.astype(str),
        days=times[:days].astype("datetime64[D]"),
        unit=unit,
        source=source,
    )


def trailer_frame(plan: Plan) -> pd.DataFrame:
    """``plan, lane, ds, trailers``: contracted trailers per lane and day."""
    import pandas as pd

    num_lanes, num_days = plan.trailers_LT.shape
    return pd.DataFrame(
        {
            "plan": plan.kind,
            "lane": np.repeat(plan.lanes, num_days),
            "ds": np.tile(plan.days, num_lanes),
            "trailers": plan.trailers_LT.reshape(-1),
        }
    )


def head_frame(plan: Plan) -> pd.DataFrame:
    """``plan, site, ds, shift, heads``: rostered heads per site, day and shift (from 1)."""
    import pandas as pd

    sites, days, shifts = plan.heads_STK.shape
    return pd.DataFrame(
        {
            "plan": plan.kind,
            "site": np.repeat(plan.sites, days * shifts),
            "ds": np.tile(np.repeat(plan.days, shifts), sites),
            "shift": np.tile(np.arange(1, shifts + 1), sites * days),
            "heads": plan.heads_STK.reshape(-1),
        }
    )


def outcome_frame(outcome: Outcome) -> pd.DataFrame:
    """``plan, sample, probability``, US dollars by kind of cost, and ``total_usd``."""
    import pandas as pd

    columns = {f"{kind}_usd": outcome.costs.by_kind[kind] for kind in COSTS}
    return pd.DataFrame(
        {
            "plan": outcome.plan.kind,
            "sample": np.arange(len(outcome.weight_W)),
            "probability": outcome.weight_W,
            **columns,
            "total_usd": outcome.costs.total_W,
        }
    )


def write_plan(plan: Plan, folder: Path) -> None:
    """``plan_trailers`` and ``plan_heads``, as Parquet with their hashes inside and as CSV."""
    facts = {"parameters": plan.parameters, "scenarios": plan.scenarios, "source": plan.source}
    for name, frame in (("plan_trailers", trailer_frame(plan)), ("plan_heads", head_frame(plan))):
        write_table(frame, folder / f"{name}.parquet", {"kind": plan.kind, **facts})
        frame.to_csv(folder / f"{name}.csv", index=False)


def read_plan(folder: Path) -> Plan:
    """The plan that `write_plan` left in a folder; PlanError where it does not fit this version."""
    trailers, facts = read_table(folder / "plan_trailers.parquet")
    heads, other = read_table(folder / "plan_heads.parquet")
    if facts != other:
        raise PlanError(f"{folder}: plan_trailers and plan_heads come from different plans")
    lanes, days = trailers["lane"].unique(), np.sort(trailers["ds"].unique())
    sites, shifts = heads["site"].unique(), heads["shift"].nunique()
    if len(trailers) != len(lanes) * len(days) or len(heads) != len(sites) * len(days) * shifts:
        raise PlanError(f"{folder}: the plan lacks a lane, a site or a day, or has one twice")
    return Plan(
        trailers_LT=trailers["trailers"].to_numpy(dtype=np.float64).reshape(len(lanes), len(days)),
        heads_STK=heads["heads"].to_numpy(dtype=np.float64).reshape(len(sites), len(days), shifts),
        lanes=lanes.astype(str),
        sites=sites.astype(str),
        days=days.astype("datetime64[D]"),
        **{name: facts[name] for name in ("kind", "parameters", "scenarios", "source")},
    )


def write_table(frame: pd.DataFrame, path: Path, facts: Mapping[str, Any]) -> None:
    """Parquet that carries ``schema_version`` and ``facts``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = json.dumps({"schema_version": SCHEMA_VERSION, **facts}, sort_keys=True).encode()
    draft = path.with_name(f".{path.name}.draft")
    pq.write_table(
        table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: metadata}), draft
    )
    draft.replace(path)


def read_table(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table of `write_table` and its facts; PlanError if it is missing or of another version."""
    import pyarrow.parquet as pq

    if not path.is_file():
        raise PlanError(f"{path} does not exist; the verb plan writes it into its run folder")
    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {}).get(KEY, b"{}"))
    except (OSError, ValueError) as broken:  # pyarrow's own errors are both
        reason = (str(broken).splitlines() or ["it is empty"])[0]
        raise PlanError(f"{path} cannot be read ({reason}); plan again") from broken
    if (version := facts.pop("schema_version", None)) != SCHEMA_VERSION:
        raise PlanError(
            f"{path} has schema_version {version}, this lanecast reads {SCHEMA_VERSION}; plan again"
        )
    return table.to_pandas(), facts


def _day(value: Any) -> str:
    return str(np.datetime64(value, "D"))
