"""Static columns encoded: one row per series, numbers as they are and text as indicators.

Axes: ``N`` series, ``C`` encoded columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from lanecast.data.panel import Panel
from lanecast.data.schema import ID, Schema
from lanecast.errors import SchemaError

MAX_LEVELS = 64  # a text column with more levels is kept for slices but not encoded

Vocabulary = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statics:
    """Encoded statics [N, C] with their names, and the columns as they were given."""

    values_NC: np.ndarray
    names: tuple[str, ...]
    attributes: Mapping[str, np.ndarray]
    unknown_levels: int
    warnings: tuple[str, ...] = ()


def encode_statics(table: pd.DataFrame, vocabulary: Vocabulary | None = None) -> Statics:
    """Numbers as they are; text one-hot, by the given levels or by those of the table.

    A level outside of ``vocabulary`` becomes all zeros and is counted.
    """
    blocks: list[np.ndarray] = [np.zeros((len(table), 0))]
    names: list[str] = []
    unknown, warnings = 0, []
    for name in table.columns:
        column = table[name]
        if _is_number(column, vocabulary):
            blocks.append(column.to_numpy(dtype=np.float64)[:, None])
            names.append(name)
            continue
        text = column.astype(str).to_numpy(dtype=object)
        levels = tuple(sorted(set(text))) if vocabulary is None else vocabulary[name]
        if len(levels) > MAX_LEVELS:
            warnings.append(
                f"static column {name!r} has {len(levels)} different texts, more than {MAX_LEVELS}:"
                " no model reads it; group its levels in a column of fewer, or give it as numbers"
            )
            continue
        block = text[:, None] == np.array(levels, dtype=object)[None, :]
        unknown += int((~block.any(axis=1)).sum()) if levels else 0
        blocks.append(block.astype(np.float64))
        names += [f"{name}={level}" for level in levels]
    return Statics(
        values_NC=np.concatenate(blocks, axis=1).astype(np.float32),
        names=tuple(names),
        attributes={name: table[name].to_numpy() for name in table.columns},
        unknown_levels=unknown,
        warnings=tuple(warnings),
    )


def _is_number(column: pd.Series, vocabulary: Vocabulary | None) -> bool:
    """Whether a static column holds numbers, finite in float32 and as in the fitted data."""
    name, numeric = column.name, pd.api.types.is_numeric_dtype(column.dtype)
    if vocabulary is not None and numeric == (name in vocabulary):
        kinds = ("numbers", "text") if numeric else ("text", "numbers")
        raise SchemaError(
            f"static column {name!r} holds {kinds[0]} (series {column.index[0]!r}:"
            f" {column.iloc[0]!r}), but {kinds[1]} in the data that the model was fitted on;"
            " convert it to the same type"
        )
    if numeric:
        beyond = ~(column.abs() <= np.finfo(np.float32).max)
        if beyond.any():
            raise SchemaError(
                f"static column {name!r} of series {column.index[beyond][0]!r} is beyond the range"
                " of float32; change its unit"
            )
    return numeric


def vocabulary_of(
    schema: Schema, static_names: tuple[str, ...] | None
) -> dict[str, tuple[str, ...]] | None:
    """Levels of each text column, read back from the encoded names; none for one left unencoded.

    None of no names: whoever reads no statics takes any encoding.
    """
    if static_names is None:
        return None
    vocabulary = {}
    for name in schema.static:
        if name in static_names:
            continue  # a number
        prefix = f"{name}="
        vocabulary[name] = tuple(
            text.removeprefix(prefix) for text in static_names if text.startswith(prefix)
        )
    return vocabulary


def encoded_as(panel: Panel, static_names: tuple[str, ...]) -> Panel:
    """The panel with its statics encoded as in another one, which a model was fitted on."""
    if static_names == panel.static_names:
        return panel
    vocabulary = vocabulary_of(panel.schema, static_names)
    table = pd.DataFrame(dict(panel.attributes), index=pd.Index(panel.series, name=ID))
    statics = encode_statics(table[list(panel.schema.static)], vocabulary)
    return replace(
        panel,
        statics=torch.from_numpy(statics.values_NC),
        static_names=statics.names,
        counts={**panel.counts, "unknown_static_levels": statics.unknown_levels},
    )
