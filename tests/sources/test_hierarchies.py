"""Hierarchical sets: bottom series in, sums checked."""

import pandas as pd
import pytest

from lanecast.errors import SchemaError
from lanecast.sources.hierarchies import BottomSeries


@pytest.fixture
def files(tmp_path):
    """Two bottom series under a total, over three months; the matrix mislabels its columns."""
    wide = pd.DataFrame(
        {
            "time": ["2020-01-31", "2020-02-29", "2020-03-31"],
            "total": [3.0, 7.0, 11.0],
            "a": [1.0, 3.0, 5.0],
            "b": [2.0, 4.0, 6.0],
        }
    )
    matrix = pd.DataFrame({"node": ["total", "a", "b"], "b": [1, 1, 0], "a": [1, 0, 1]})
    paths = {"path": tmp_path / "data.parquet", "table": tmp_path / "sums.parquet"}
    wide.to_parquet(paths["path"])
    matrix.to_parquet(paths["table"])
    return {name: str(path) for name, path in paths.items()}


def test_the_bottom_series_are_those_of_the_last_rows(files):
    frame = BottomSeries(**files).load().frame
    assert frame.groupby("unique_id")["y"].apply(list).to_dict() == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_first_rows_can_be_left_out(files):
    frame = BottomSeries(**files, first_row=1).load().frame
    assert frame.groupby("unique_id")["y"].apply(list).to_dict() == {"a": [3, 5], "b": [4, 6]}


def test_rows_can_be_spaced_evenly(files):
    frame = BottomSeries(**files, step="D").load().frame
    assert list(frame["ds"].unique()) == list(pd.date_range("2020-01-31", periods=3))


def test_a_node_that_is_no_sum_is_refused(files):
    wide = pd.read_parquet(files["path"])
    wide.loc[1, "total"] = 8.0
    wide.to_parquet(files["path"])
    with pytest.raises(SchemaError, match=r"'total' in row 1 .* is 8, but its series sum to 7"):
        BottomSeries(**files).load()


def test_a_matrix_without_its_bottom_rows_is_refused(files):
    pd.read_parquet(files["table"]).iloc[:2].to_parquet(files["table"])
    with pytest.raises(SchemaError, match="must be the bottom series"):
        BottomSeries(**files).load()


def test_a_missing_node_is_refused(files):
    pd.read_parquet(files["path"]).drop(columns="b").to_parquet(files["path"])
    with pytest.raises(SchemaError, match="no column for the node 'b'"):
        BottomSeries(**files).load()
