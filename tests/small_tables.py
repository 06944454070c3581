"""Small long tables for the tests of the border, and how to ask what it says of them."""

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.schema import Schema
from lanecast.errors import SchemaError
from lanecast.sources import SourceTable

Y = {"y": {"role": "target"}}


def long_table(*, days=10, ids=("a", "b"), **columns):
    """``days`` rows of each series from 2024-01-01 (a Monday), y = 0, 1, 2 ..."""
    dates = pd.date_range("2024-01-01", periods=days)
    frame = pd.DataFrame(
        {"unique_id": np.repeat(list(ids), days), "ds": np.tile(dates, len(ids))}
    ).astype({"unique_id": "str"})
    frame["y"] = np.arange(len(frame), dtype=float)
    return frame.assign(**columns)


def schema(*, freq="D", absent="missing", **columns):
    return Schema.from_config({"freq": freq, "absent": absent, "columns": {**Y, **columns}})


def load(frame, declared=None, *, statics=None, **options):
    table = SourceTable(frame=frame, statics=statics)
    return panel_from_table(table, declared or schema(), **options)


def refused(frame, declared=None, **options):
    with pytest.raises(SchemaError) as caught:
        load(frame, declared, **options)
    return str(caught.value)


def says(message, *parts):
    missing = [part for part in parts if part not in message]
    assert not missing, f"{missing} not in: {message}"
