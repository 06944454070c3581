"""A panel on disk: written part by part through the same border, opened as a memory map.

A store is a folder: ``values.f32`` (cells x columns, as in `Panel.values`), ``series.parquet`` (one
row per series: name, cells, first time, statics) and, written last, ``store.json``, which lists
the sizes and checksums of both.  Opening checks sizes and the small file; the blocks of the large
one are checked where all of it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import torch

from lanecast.data.ingest.blocks import (
    block_facts,
    check_blocks,
    check_size,
    drafted,
    read_manifest,
    read_series,
    whole_facts,
    write_manifest,
)
from lanecast.data.ingest.calendar import calendar_features, label_warnings
from lanecast.data.ingest.layout import CALENDAR_AHEAD, panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.schema import ID, Schema, step_length
from lanecast.data.statics import Vocabulary, encode_statics
from lanecast.errors import ConfigError, SchemaError
from lanecast.sources import SourceTable

VERSION = 1
MANIFEST, VALUES, SERIES = "store.json", "values.f32", "series.parquet"


def write_store(folder: Path, parts: Iterable[tuple[str, SourceTable]], schema: Schema) -> int:
    """Write named parts, each with whole series, and return the number of cells.

    Parts pass the border like any table.  The folder appears when it is complete; ConfigError where
    it is there already, SchemaError where two parts share a series or stand on different grids.
    """
    if folder.exists():
        raise ConfigError(
            f"{folder} is there already; remove it, or set data.store to a new folder"
        )
    if schema.absent != "missing":
        raise ConfigError(
            "a store is written part by part, and data.schema.absent=zero fills each series up to"
            " the last row of the whole table; write the zeros into the parts, or load them at once"
        )
    with drafted(folder) as draft:
        return _write_parts(draft, parts, schema)


def _write_parts(draft: Path, parts: Iterable[tuple[str, SourceTable]], schema: Schema) -> int:
    counts = dict.fromkeys(("rows", "cells", "gaps_left_missing"), 0)
    with (draft / VALUES).open("wb") as file:
        for number, (name, table) in enumerate(parts):
            panel = _panel_of(name, table, schema)
            panel.values.numpy().tofile(file)
            # Kept on disk: what stays in memory between two parts would hold that of the parts.
            _series_of(panel).to_parquet(draft / f"{number:08d}.{SERIES}", index=False)
            for key in counts:
                counts[key] += panel.counts[key]
            del table, panel
            pyarrow.default_memory_pool().release_unused()
    pieces = sorted(draft.glob(f"*.{SERIES}"))
    series = pd.concat([pd.read_parquet(piece) for piece in pieces], ignore_index=True)
    for piece in pieces:
        piece.unlink()
    if (twice := series[ID].duplicated()).any():
        raise SchemaError(
            f"series {series.loc[twice, ID].iloc[0]!r} stands in two parts; a part holds whole"
            " series: partition the table by series"
        )
    off = (series["first"] - series["first"].min()) % step_length(schema.freq)
    if off.any():
        raise SchemaError(
            f"series {series.loc[off != pd.Timedelta(0), ID].iloc[0]!r} begins off the"
            f" {schema.freq} grid of the first part; align the times of all parts"
        )
    series.to_parquet(draft / SERIES, index=False)
    facts = {"version": VERSION, "freq": schema.freq, "stored": list(schema.stored)}
    files = {SERIES: whole_facts(draft / SERIES), VALUES: block_facts(draft / VALUES)}
    manifest = {**facts, "counts": counts, "files": files}
    write_manifest(draft / MANIFEST, manifest)
    return counts["cells"]


def open_store(
    folder: Path,
    schema: Schema,
    *,
    calendar: Mapping[str, Any] | None = None,
    vocabulary: Vocabulary | None = None,
) -> Panel:
    """The panel of a store; its values stay on disk and are read window by window.

    SchemaError where the store is damaged, with the file and the way out.
    """
    facts = read_manifest(folder / MANIFEST)
    expected = {"version": VERSION, "freq": schema.freq, "stored": list(schema.stored)}
    for key, wanted in expected.items():
        if facts.get(key) != wanted:
            raise SchemaError(
                f"{folder} was written with {key} {facts.get(key)}, but data.schema says {wanted};"
                " write it anew with lanecast prepare, or declare the columns as they were"
            )
    series = read_series(folder / SERIES, facts)
    cells = series["cells"].to_numpy(np.int64)
    check_size(folder / VALUES, 4 * int(cells.sum()) * len(schema.stored))
    length = step_length(schema.freq)
    origin = series["first"].min()
    start = ((series["first"] - origin) // length).to_numpy(np.int64)
    steps = int((start + cells).max()) + CALENDAR_AHEAD
    times = pd.DatetimeIndex(origin + np.arange(steps) * length).as_unit("ns")
    dates, names = calendar_features(times, freq=schema.freq, **(calendar or {"features": ()}))
    shape = (int(cells.sum()), len(schema.stored))
    # Copy on write: nobody writes, but torch asks for an array that it may write to.
    values = np.memmap(folder / VALUES, np.float32, mode="c", shape=shape)
    described = series.set_index(ID)
    statics = encode_statics(described[list(schema.static)], vocabulary)
    closings = {name: described[name].to_numpy("datetime64[ns]") for name in schema.closing}
    return StoredPanel(
        store_folder=folder,
        schema=schema,
        series=series[ID].to_numpy(object),
        offsets=np.concatenate([[0], np.cumsum(cells)]).astype(np.int64),
        start=start,
        times=times.to_numpy("datetime64[ns]"),
        values=torch.from_numpy(values),
        calendar=torch.from_numpy(dates),
        calendar_names=names,
        statics=torch.from_numpy(statics.values_NC),
        static_names=statics.names,
        attributes={**statics.attributes, **closings},
        counts={"series": len(series), **facts["counts"]},
        warnings=(*statics.warnings, *label_warnings(schema.freq, calendar or {"features": ()})),
    )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StoredPanel(Panel):
    """A panel whose values lie in a store; the first full read checks every block of them."""

    store_folder: Path

    @cached_property
    def fingerprint(self) -> str:
        """As of a panel in memory; SchemaError where a block is damaged."""
        check_blocks(self.store_folder / VALUES, read_manifest(self.store_folder / MANIFEST))
        return super().fingerprint


def _panel_of(name: str, table: SourceTable, schema: Schema) -> Panel:
    try:
        return panel_from_table(table, schema)
    except SchemaError as err:
        if err.named:
            raise
        raise SchemaError(f"{name}: {err}") from err


def _series_of(panel: Panel) -> pd.DataFrame:
    """One row per series of a part."""
    columns = {
        ID: panel.series,
        "cells": np.diff(panel.offsets),
        "first": pd.DatetimeIndex(panel.times[panel.start]).as_unit("ns"),
    }
    return pd.DataFrame({**columns, **panel.attributes})
