"""Long tables from files: ids, names, statics, and where a missing file should be."""

import pandas as pd
import pytest

from lanecast.errors import ConfigError
from lanecast.sources.tables import CsvTable, ParquetTable

ROWS = pd.DataFrame(
    {"origin": [1, 1], "dest": ["B", "C"], "date": ["2024-01-01"] * 2, "n": [3, 4], "note": "x"}
)


@pytest.fixture(params=[CsvTable, ParquetTable])
def table(request, tmp_path):
    """A factory of tables over the same rows in both formats."""

    def make(frame=ROWS, **options):
        if request.param is CsvTable:
            path = tmp_path / "table.csv"
            frame.to_csv(path, index=False)
        else:
            path = tmp_path / "table.parquet"
            frame.to_parquet(path)
        return request.param(path=str(path), **options)

    return make


def test_several_id_columns_are_joined_into_one_text(table):
    frame = table(id=["origin", "dest"]).load().frame
    assert frame["unique_id"].tolist() == ["1>B", "1>C"]
    assert "origin" not in frame


def test_id_columns_stay_on_request(table):
    frame = table(id=["origin", "dest"], keep_id=True).load().frame
    assert frame["dest"].tolist() == ["B", "C"]


def test_numeric_ids_become_text(table):
    assert table(id=["origin"]).load().frame["unique_id"].tolist() == ["1", "1"]


def test_a_missing_id_stays_missing(table):
    holed = ROWS.assign(dest=["B", None])
    frame = table(holed, id=["origin", "dest"]).load().frame
    assert frame["unique_id"].isna().tolist() == [False, True]


def test_columns_are_renamed_then_dropped(table):
    options = {"rename": {"date": "ds", "n": "y"}, "drop": ["note"]}
    assert list(table(id=["dest"], **options).load().frame) == ["unique_id", "origin", "ds", "y"]


def test_statics_are_read_with_the_same_id(table):
    source = table(id=["dest"])
    twin = type(source)(path=source.path, id=["dest"], statics=source.path)
    assert twin.load().statics["unique_id"].tolist() == ["B", "C"]


def test_a_missing_id_column_names_those_there(table):
    with pytest.raises(ConfigError, match=r"\['lane'\].*'origin', 'dest'"):
        table(id=["lane"]).load()


def test_a_missing_file_is_named_with_the_way_out(tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path}/no.csv.*LANECAST_DATA.*data.path"):
        CsvTable(path=str(tmp_path / "no.csv")).load()
