"""Parquet: a file, or a folder of parts whose types differ, with keys in the names of folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from lanecast.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.dataset


def read_parquet(path: Path, *, texts: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table, and what to warn of.  Keys of folders (``origin=007``) are text.

    Keys that are no id and all numbers become numbers.  Parts may hold whole numbers and fractions
    of one column; ConfigError names the parts whose types do not meet.
    """
    warnings: tuple[str, ...] = ()
    keys: list[str] = []
    if path.is_file():
        if path.stat().st_size == 0:
            raise ConfigError(f"{path} is empty; check that the file is whole")
        frame = pd.read_parquet(path, partitioning=None)
    else:
        dataset, keys = _dataset(path)
        warnings = _partial_columns(path, dataset)
        frame = dataset.to_table().to_pandas()
    for name in keys:
        frame[name] = frame[name].astype("str").where(frame[name].notna())
        numbers = pd.to_numeric(frame[name], errors="coerce")
        if name not in texts and (numbers.notna() == frame[name].notna()).all():
            frame[name] = numbers
    named = [name for name in frame.index.names if name is not None]
    return frame.reset_index(named) if named else frame, warnings


def part_of(path: Path, row: int) -> str:
    """``row 5 of 2023-2.parquet``: where a row of the table (from 0) stands, counted from 1."""
    if path.is_dir():
        dataset, _ = _dataset(path)
        for part in dataset.get_fragments():
            count = part.count_rows()
            if row < count:
                return f"row {row + 1} of {Path(part.path).relative_to(path.absolute())}"
            row -= count
    return f"row {row + 1}"


def _dataset(path: Path) -> tuple[pyarrow.dataset.Dataset, list[str]]:
    """The parts under one schema, and the keys in the names of their folders."""
    import pyarrow
    import pyarrow.dataset

    place = path.absolute()
    parts = [
        file
        for file in sorted(place.rglob("*"))
        if file.is_file() and not any(name[0] in "._" for name in file.relative_to(place).parts)
    ]
    if not parts:
        raise ConfigError(f"{path} holds no Parquet file; set data.path to a folder of parts")
    keys: list[str] = []
    for part in parts:
        names = [
            name.partition("=")[0] for name in part.relative_to(place).parts[:-1] if "=" in name
        ]
        keys += [name for name in names if name not in keys]
    schemas: list[pyarrow.Schema] = []
    for part in parts:
        own = _schema(part)
        try:
            merged = pyarrow.unify_schemas([*schemas[:1], own], promote_options="permissive")
        except (pyarrow.ArrowTypeError, pyarrow.ArrowInvalid) as apart:
            raise ConfigError(_apart(path, parts, own, part)) from apart
        schemas = [merged]
    folders = pyarrow.schema([(name, pyarrow.string()) for name in keys])
    whole = pyarrow.unify_schemas([schemas[0], folders]) if keys else schemas[0]
    dataset = pyarrow.dataset.dataset(
        [str(part) for part in parts],
        schema=whole,
        format="parquet",
        partitioning=pyarrow.dataset.partitioning(folders, flavor="hive") if keys else None,
        partition_base_dir=str(place),
    )
    return dataset, keys


def _schema(part: Path) -> pyarrow.Schema:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(part)
    except (pyarrow.ArrowInvalid, OSError) as broken:
        reason = str(broken).strip().splitlines()[0]
        raise ConfigError(
            f"{part} cannot be read: {reason}; check that the file is whole, and that the folder"
            " holds Parquet parts alone"
        ) from broken


def _apart(path: Path, parts: Sequence[Path], own: pyarrow.Schema, part: Path) -> str:
    """Which column has types that do not meet, and in which two parts."""
    place = path.absolute()
    for earlier in parts:
        other = _schema(earlier)
        for name in own.names:
            if name not in other.names or other.field(name).type == own.field(name).type:
                continue
            if _numeric(other.field(name).type) and _numeric(own.field(name).type):
                continue
            return (
                f"{path}: column {name!r} is {other.field(name).type} in"
                f" {earlier.relative_to(place)}, but {own.field(name).type} in"
                f" {part.relative_to(place)}; write all parts with one type"
            )
    return f"{path}: the parts have types that do not meet; write all parts with one type"


def _numeric(kind: pyarrow.DataType) -> bool:
    import pyarrow

    return bool(pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind))


def _partial_columns(path: Path, dataset: pyarrow.dataset.Dataset) -> tuple[str, ...]:
    """Columns that some parts lack, whose rows there have no value."""
    parts = list(dataset.get_fragments())
    if len(parts) < 2:
        return ()
    own = [set(part.physical_schema.names) for part in parts]
    everywhere, somewhere = set.intersection(*own), set.union(*own)
    warnings = []
    for name in sorted(somewhere - everywhere):
        lacking = [part for part, names in zip(parts, own, strict=True) if name not in names]
        first = Path(lacking[0].path).relative_to(path.absolute())
        warnings.append(
            f"{path}: column {name!r} is not in {len(lacking)} of {len(parts)} parts, such as"
            f" {first}; it has no value there"
        )
    return tuple(warnings)
