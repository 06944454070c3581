"""Names of series: text from one column or several, and never two series under one name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pandas as pd

from lanecast.errors import ConfigError, Faults

JOINED_BY = ">"


def joined_ids(columns: Sequence[pd.Series], path: str, faults: Faults) -> pd.Series:
    """One text per row; a missing id stays missing, for validation to refuse.

    ConfigError names two series that would become one: ids of other types that read alike, and
    parts that hold the ``>`` they are joined with.
    """
    texts = [text_of(column, path, faults) for column in columns]
    joined = reduce(lambda left, right: left + JOINED_BY + right, texts)
    if len(texts) < 2 or not any(_holds_mark(text) for text in texts):
        return joined
    parts = pd.concat(texts, axis=1, keys=range(len(texts))).assign(joined=joined)
    parts = parts.drop_duplicates().dropna()
    if (twice := parts["joined"].duplicated(keep=False)).any():
        name = parts.loc[twice, "joined"].iloc[0]
        rows = parts[parts["joined"] == name].iloc[:2, :-1].to_numpy().tolist()
        count = parts.loc[twice, "joined"].nunique()
        faults.add(
            ConfigError(
                f"{path}: {tuple(rows[0])} and {tuple(rows[1])} are two series, but both would be"
                f" named {name!r} ({count} such name{'s' if count > 1 else ''}); replace"
                f" {JOINED_BY!r} in the columns {[column.name for column in columns]}, or name the"
                " series in a column of its own and set data.source.id to it"
            )
        )
    return joined


def text_of(column: pd.Series, path: str, faults: Faults) -> pd.Series:
    """A column of ids as text; whole numbers that are kept as fractions are whole (7.0 is 7)."""
    if pd.api.types.is_string_dtype(column.dtype) and column.dtype != object:
        return column
    if pd.api.types.is_float_dtype(column.dtype):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        sound = np.isfinite(numbers)
        if (numbers[sound] % 1 == 0).all() and (np.abs(numbers[sound]) < 2**53).all():
            whole = pd.Series(np.where(sound, numbers, 0).astype(np.int64), index=column.index)
            return whole.astype("str").where(sound)
    text = column.astype("str").where(column.notna())
    if column.dtype == object:
        _refuse_merged(column, text, path, faults)
    return text


def _refuse_merged(column: pd.Series, text: pd.Series, path: str, faults: Faults) -> None:
    """Values of several types (7 and '7') that read alike."""
    own = pd.unique(column.dropna())
    if len(own) == text.nunique():
        return
    names = pd.Series([str(value) for value in own])
    name = names[names.duplicated()].iloc[0]
    pair = [value for value in own if str(value) == name][:2]
    faults.add(
        ConfigError(
            f"{path}: the ids {pair[0]!r} ({type(pair[0]).__name__}) and {pair[1]!r}"
            f" ({type(pair[1]).__name__}) of column {column.name!r} would both be named {name!r};"
            " write all ids as text"
        )
    )


def _holds_mark(text: pd.Series) -> bool:
    return bool(pd.Series(pd.unique(text.dropna())).str.contains(JOINED_BY, regex=False).any())
