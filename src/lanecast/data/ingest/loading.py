"""From ``conf/data/*.yaml`` to a panel: read the source, check it at the border, lay it out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lanecast.data.ingest.layout import Keep, panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import Schema
from lanecast.data.statics import Vocabulary
from lanecast.errors import ConfigError, Faults, SchemaError
from lanecast.sources import SourceTable
from lanecast.sources.tables import CsvTable


def load_panel(config: Mapping[str, Any], *, vocabulary: Vocabulary | None = None) -> Panel:
    """The panel that a ``data`` group describes.

    ``store``, where given, is a folder that the verb prepare wrote: the panel is memory-mapped.
    ``future_path``, where given, is a second file in the form of the source's, without targets:
    the known future of the steps to forecast.  ``vocabulary`` encodes the statics as those of the
    panel that a model was fitted on.
    """
    if config.get("store") is not None:
        from lanecast.data.ingest.store import open_store

        refuse_with_store(config)
        return open_store(
            Path(str(config["store"])),
            Schema.from_config(config["schema"]),
            calendar=calendar_options(config.get("calendar")),
            vocabulary=vocabulary,
        )
    table, future = read_tables(config)
    return panel_of(config, table, future, vocabulary=vocabulary)


def refuse_with_store(config: Mapping[str, Any]) -> None:
    """ConfigError for what a store cannot follow: its series were chosen when it was written."""
    keep = config.get("keep") or {}
    keys = [f"keep.{key}" for key, value in keep.items() if value is not None]
    keys += ["future_path"] if config.get("future_path") is not None else []
    if keys:
        raise ConfigError(
            f"data.{keys[0]}={keep.get(keys[0][5:], config.get('future_path'))} cannot be applied"
            " to a store, which keeps every series and the future in its rows; leave it out, or"
            " choose the rows before lanecast prepare"
        )


def read_tables(
    config: Mapping[str, Any], faults: Faults | None = None
) -> tuple[SourceTable, SourceTable | None]:
    """The raw table of the source and, where ``future_path`` is given, the rows after it."""
    from lanecast.config import instantiate

    faults = faults or Faults()
    if not faults.keep:
        Schema.from_config(config["schema"])  # a wrong declaration is told before anything is read
    path = config.get("future_path")
    if path is not None and "path" not in config["source"]:
        raise ConfigError(
            f"data.future_path={path!r} needs a source that reads a path, not"
            f" {config['source']['_target_']}; use data=panel_csv or data=panel_parquet"
        )
    source = instantiate(config["source"])
    table = source.load(faults) if isinstance(source, CsvTable) else source.load()
    future = None
    if path is not None:
        source = instantiate(config["source"], path=path)
        with faults.kept_from():
            is_table = isinstance(source, CsvTable)
            future = source.load_future() if is_table else source.load()
    return table, future


def panel_of(
    config: Mapping[str, Any],
    table: SourceTable,
    future: SourceTable | pd.DataFrame | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    schema: Schema | None = None,
    faults: Faults | None = None,
) -> Panel:
    """A raw table through the border, as the ``data`` group says (``schema``: read already)."""
    faults = faults or Faults()
    choice, calendar = Keep(), calendar_options(None)
    with faults.kept_from():
        choice = keep_options(config.get("keep"))
    with faults.kept_from():
        calendar = calendar_options(config.get("calendar"))
    try:
        return panel_from_table(
            table,
            schema or Schema.from_config(config["schema"]),
            calendar=calendar,
            keep=choice,
            future=future,
            vocabulary=vocabulary,
            faults=faults,
        )
    except SchemaError as err:
        if faults.keep or err.named:
            raise
        raise SchemaError(f"{describe(config['source'])}: {err}") from err


def checked_panel(config: Mapping[str, Any], faults: Faults) -> Panel | None:
    """The panel of what is sound in a ``data`` group whose faults are kept; None if nothing is."""
    schema = None
    with faults.kept_from():
        schema = Schema.from_config(config["schema"], faults)
    with faults.kept_from():
        if config.get("store") is not None:
            panel = load_panel(config)
            with faults.kept_from():
                _ = panel.fingerprint  # reads, and so checks, every block
            return panel
        table, future = read_tables(config, faults)
        if schema is not None:
            return panel_of(config, table, future, schema=schema, faults=faults)
    return None


def keep_options(config: Mapping[str, Any] | None) -> Keep:
    """Which series enter; an unknown key is a ConfigError."""
    try:
        return Keep(**{str(key): value for key, value in (config or {}).items()})
    except TypeError as err:
        raise ConfigError(f"data.keep: {err}; its keys are min_rows, until, busiest") from err


def calendar_options(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keyword arguments of `calendar_features`; an unknown key is a ConfigError."""
    options = {str(key): value for key, value in (config or {}).items()}
    if unknown := set(options) - {"features", "country", "days", "label"}:
        raise ConfigError(
            f"data.calendar has no key {min(unknown)!r}; its keys are features, country, days,"
            " label"
        )
    return {"features": (), **options}


def describe(source: Mapping[str, Any]) -> str:
    """What an error says first: the file, or the class of the source."""
    return str(source.get("path") or source["_target_"])
