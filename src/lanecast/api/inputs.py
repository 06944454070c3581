"""Panels, models and graphs: from a frame or a file, and by the names of ``conf/``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd

from lanecast.api.words import in_python, python_words
from lanecast.causal.graph.graph import Graph
from lanecast.config.choosing import (
    Overrides,
    composed,
    data_config,
    model_config,
    own_folders,
)
from lanecast.config.composing import apart_from_hydra
from lanecast.data.ingest.future import with_future
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.ingest.loading import load_panel
from lanecast.data.panel import Panel, TableNames
from lanecast.data.schema import ID, TARGET, TIME, Schema
from lanecast.errors import ConfigError
from lanecast.models.protocol import Forecaster
from lanecast.pipeline.building import build_forecaster, plain_config
from lanecast.sources.frames import FrameTable
from lanecast.workflows.models import model_rows


@runtime_checkable
class _OtherFrame(Protocol):
    """A frame of polars, pyarrow or another library."""

    def to_pandas(self) -> pd.DataFrame: ...


# Options of a source that say how its files are written.
WRITTEN = (
    "encoding",
    "separator",
    "decimal",
    "thousands",
    "date_format",
    "time_zone",
    "missing",
)
Table = pd.DataFrame | _OtherFrame | str | Path
Columns = str | Sequence[str] | Mapping[str, Any]


def panel(
    frame: Table,
    *,
    id: str | Sequence[str] = ID,
    time: str = TIME,
    target: str = TARGET,
    freq: str = "D",
    known_future: Columns = (),
    observed: Columns = (),
    static: Columns = (),
    columns: Mapping[str, Any] | None = None,
    drop: Sequence[str] = (),
    absent: str = "missing",
    statics: Table | None = None,
    future: Table | None = None,
    calendar: Sequence[str] | Mapping[str, Any] = ("weekday", "yearday"),
    country: str | Sequence[str] | None = None,
    source: Mapping[str, Any] | None = None,
    **lifetime: str,
) -> Panel:
    """A panel of a long table, a row for each series and step: a frame, or a CSV or Parquet file.

    ``id``: the column that names the series; several are joined (``origin>dest``).  ``time`` and
    ``target`` name theirs; ``freq`` is a pandas alias (D, h, 15min, W-SUN).

    Every other column has a role, or is named in ``drop``.  ``known_future``: known for the days
    ahead, all of them or up to a lead (``{"capacity": "P14D"}``); ``observed``: known once its
    period is over, or after a delay (``{"weather": "P1D"}``); ``static``: one value for each
    series, such as an id column.  ``columns`` says it by column, with whatever else
    `lanecast.data.schema.Column` has: ``{"promo": "known_future", "parcels": {"non_negative":
    True}}``.
    ``absent``: what a missing row means, ``missing`` or ``zero``.  ``statics``: a second table with
    a row for each series.  ``future``: rows of the days ahead, without targets.  ``lifetime``:
    ``until, closed, closed_known, closes_after`` of `lanecast.data.schema.Schema`.
    ``calendar``: features of the date (weekday, yearday, hour, month, holiday of ``country``), or a
    mapping with days of your own (``{"features": [...], "days": {"peak": ["11-11"]}}``).
    ``source``: how tables are written (``{"date_format": "%d/%m/%Y", "decimal": ","}``; `WRITTEN`).
    ``Panel.warnings`` say what may be meant otherwise; SchemaError names what cannot be meant.
    """
    ids = (id,) if isinstance(id, str) else tuple(id)
    declared = _declared(target, known_future, observed, static, columns or {})
    kept = [name for name in ids if name in declared and name != ID]
    options: dict[str, Any] = {
        "id": ids,
        "keep_id": bool(kept),
        "rename": {own: name for own, name in ((time, TIME), (target, TARGET)) if own != name},
        "drop": (*drop, *(name for name in ids if kept and name not in kept)),
        **_written(source or {}),
    }
    names = TableNames(id=ids, time=time, target=target, source=dict(source or {}))
    dates = calendar if isinstance(calendar, Mapping) else {"features": tuple(calendar)}
    with python_words():
        meaning = {"freq": freq, "absent": absent, "columns": declared, **_lifetime(lifetime)}
        schema = Schema.from_config(meaning)
        tables = _source({"path": frame, "statics": statics}, options)
        ahead = None if future is None else _source({"path": future}, options).load_future()
        dates = {"country": country, **dates}
        laid = panel_from_table(tables.load(), schema, calendar=dates, future=ahead)
    return replace(laid, table=names, warnings=tuple(map(in_python, laid.warnings)))


def load(name: str, *overrides: str, **settings: Any) -> Panel:
    """The panel of ``conf/data/<name>.yaml``: ``lc.load("midmile", preset="tiny", lanes=40)``.

    ``overrides`` are those of the command without ``data.`` (``"source.lanes=40"``); a setting is
    the last word of such a key.  ConfigError for a name that is not there, SchemaError for a table
    that does not keep its contract.
    """
    config = data_config(name, settings, overrides)
    with python_words():
        return load_panel(plain_config(config))


def model(
    name: str,
    /,
    *,
    context: int | None = None,
    horizon: int | None = None,
    graph: str | Mapping[str, Any] | Graph | None = None,
    overrides: Overrides = (),
    **settings: Any,
) -> Forecaster:
    """An unfitted forecaster: ``conf/model/<name>.yaml`` as the command builds it.

    ``context`` and ``horizon``: steps read and steps ahead, by default those of ``conf/windows``.
    ``graph``: the causal graph it is coupled to (`graph`), with ``coupling="delta"`` or another.
    A setting is a group of ``conf/`` (``calibration="aci"``, ``loss="huber"``,
    ``optim={"max_steps": 200}``), or a key of what the model reads, by its last word
    (``max_steps=200, lr=1e-3, seed=2, name="wide"``).  ``overrides`` are dotted keys, as on the
    command line (``["optim.max_steps=200"]``) or as a mapping.

    ConfigError names what is not there, the nearest that is, and a part that this model does not
    read (``optim`` of LightGBM).
    """
    declared = graph if isinstance(graph, Graph) else None
    named = None if declared else graph
    own = {"context": context, "horizon": horizon, "dag": named}
    wanted = {key: value for key, value in own.items() if value is not None} | settings
    config = model_config(name, wanted, overrides)
    with apart_from_hydra(), python_words():  # the command line of a job is not this call's
        return build_forecaster(config, graph=declared)


def list_models() -> pd.DataFrame:
    """Every model by name: its kind, the covariates it reads, where its intervals come from, cost.

    ``known_future, observed, static``: whether it can be given such columns.  ``cost``: seconds of
    a fit and a forecast over those of seasonal_naive, as measured once.  ``missing``: why it cannot
    be built here, such as a package that is not installed.
    """
    rows = []
    for row in model_rows(own_folders()[0]):
        reads = {role: role in row.reads for role in ("known_future", "observed", "static")}
        rows.append(
            {"model": row.name, "kind": row.kind, **reads, "intervals_from": row.quantiles,
             "cost": row.cost, "missing": row.missing}
        )  # fmt: skip
    return pd.DataFrame(rows)


def graph(declared: str | Mapping[str, Any]) -> Graph:
    """A causal graph: ``conf/dag/<name>.yaml``, or its nodes and edges as a mapping.

    GraphError names the node or edge that contradicts another one.
    """
    if isinstance(declared, str):
        node = composed({"dag": declared}).get("dag")
        if not node:
            raise ConfigError(f"dag={declared} declares no graph; choose another name")
        declared = plain_config(node)
    return Graph.from_config(declared)


def with_days_ahead(panel: Panel, future: Table) -> Panel:
    """The panel with known_future values of the days ahead, under the names of its own table."""
    names = panel.table
    rename = {own: name for own, name in ((names.time, TIME),) if own != name}
    source = _source({"path": future}, {"id": names.id, "rename": rename, **names.source})
    with python_words():
        ahead = source.load_future()
        frame = ahead.frame.rename(columns={names.target: TARGET})
        return with_future(panel, replace(ahead, frame=frame))


def _written(source: Mapping[str, Any]) -> dict[str, Any]:
    """Options of how files are written; ConfigError for another one."""
    if unknown := set(source) - {*WRITTEN}:
        raise ConfigError(
            f"source= has no option {min(unknown)!r}; its options are {', '.join(WRITTEN)}"
        )
    return dict(source)


def _declared(
    target: str,
    known_future: Columns,
    observed: Columns,
    static: Columns,
    columns: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Options of each column by the schema's name, the target first."""
    declared: dict[str, dict[str, Any]] = {TARGET: {"role": "target"}}
    for role, option, names in (
        ("observed", "delay", observed),
        ("known_future", "lead", known_future),
        ("static", "", static),
    ):
        for name, more in _items(names):
            if name in declared:
                raise ConfigError(f"column {name!r} is given two roles; one of them is {role}")
            own = {option: more} if isinstance(more, str) else dict(more or {})
            declared[name] = {"role": role, **own}
    for name, more in columns.items():
        key = TARGET if name == target else str(name)
        own = {"role": more} if isinstance(more, str) else dict(more)
        declared[key] = {**declared.get(key, {}), **own}
    return declared


def _lifetime(options: dict[str, str]) -> dict[str, str]:
    """Options of a schema that say when a series closes; TypeError for any other argument."""
    if unknown := sorted(set(options) - {"until", "closed", "closed_known", "closes_after"}):
        raise TypeError(f"panel() got an unexpected keyword argument {unknown[0]!r}")
    return options


def _items(names: Columns) -> list[tuple[str, Any]]:
    if isinstance(names, Mapping):
        return [(str(name), more) for name, more in names.items()]
    return [(str(name), None) for name in ([names] if isinstance(names, str) else names)]


def _source(tables: Mapping[str, Table | None], options: Mapping[str, Any]) -> FrameTable:
    """A source of frames or files; frames get a name that errors can show."""
    frames: dict[str, pd.DataFrame] = {}
    paths: dict[str, Any] = {}
    for role, table in tables.items():
        if isinstance(table, str | Path) or table is None:
            paths[role] = None if table is None else str(table)
            continue
        paths[role] = f"the frame ({role})" if role != "path" else "the frame"
        frames[paths[role]] = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    return FrameTable(**paths, frames=frames, **options)
