import numpy as np
import pandas as pd

from lanecast.data.ingest.exactness import exactness_warnings
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.schema import Schema
from lanecast.sources import SourceTable


def column(*values):
    return np.array(values, dtype=np.float32)[:, None]


def test_whole_numbers_beyond_what_float32_holds_are_told_by_column():
    values = np.hstack([column(1, 2**24, np.nan), column(5, 2**24 + 4, -(2**27)), column(1, 2, 3)])
    (warning,) = exactness_warnings(values, ["y", "stock", "price"])
    assert "column 'stock' holds whole numbers up to 134217728" in warning
    assert "2 rows lie beyond" in warning
    assert "in steps of 16" in warning


def test_the_last_exact_number_and_fractions_are_not_told():
    assert exactness_warnings(column(2**24, -(2**24)), ["y"]) == ()
    assert exactness_warnings(column(0.5, 2e9), ["y"]) == ()
    assert exactness_warnings(column(np.nan), ["y"]) == ()


def test_a_table_with_such_a_column_becomes_a_panel_that_says_so():
    days = pd.date_range("2024-01-01", periods=3, freq="D")
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": [1, 2, 40_000_001], "x": [1, 2, 3]})
    columns = {"y": {"role": "target"}, "x": {"role": "observed"}}
    schema = Schema.from_config({"freq": "D", "columns": columns})
    panel = panel_from_table(SourceTable(frame=frame), schema)
    (warning,) = panel.warnings
    assert "column 'y' holds whole numbers up to 40000000" in warning
