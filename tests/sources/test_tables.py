"""Long tables from files: ids, names, statics, and where a missing file should be."""

import pandas as pd
import pytest

from lanecast.errors import ConfigError, Faults
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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rename": {"daet": "ds"}}, ["data.source.rename", "'daet'", "did you mean dest or date"]),
        ({"drop": ["notes"]}, ["data.source.drop", "'notes'", "did you mean note"]),
        ({"drop": ["weather"]}, ["data.source.drop", "'weather'", "['origin', 'dest'"]),
    ],
)
def test_renaming_or_dropping_what_is_not_there_is_told(table, options, words):
    with pytest.raises(ConfigError) as refused:
        table(id=["dest"], **options).load()
    assert all(word in str(refused.value) for word in [*words, "table."]), refused.value


def test_every_name_that_is_not_there_is_kept_where_asked(table):
    faults = Faults(keep=True)
    options = {"rename": {"daet": "ds", "n": "y"}, "drop": ["notes"]}
    frame = table(id=["dest"], **options).load(faults).frame
    assert len(faults.kept) == 2
    assert "y" in frame


def test_what_is_renamed_may_be_dropped_under_either_name(table):
    for name in ("note", "remark", "dest"):
        options = {"rename": {"note": "remark"}, "drop": [name]}
        assert "ds" not in table(id=["dest"], **options).load().frame


def test_a_name_of_the_statics_alone_may_be_dropped(table, tmp_path):
    source = table(id=["dest"])
    sites = ROWS[["dest"]].assign(region="north")
    if type(source) is CsvTable:
        sites.to_csv(tmp_path / "sites", index=False)
    else:
        sites.to_parquet(tmp_path / "sites")
    both = type(source)(
        path=source.path, id=["dest"], drop=["region"], statics=str(tmp_path / "sites")
    )
    assert "region" not in both.load().statics


def test_a_future_file_may_lack_what_the_past_has(table):
    source = table(ROWS.drop(columns=["n", "note"]), id=["dest"], drop=["note"], rename={"n": "y"})
    assert list(source.load_future().frame) == ["unique_id", "origin", "date"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no columns"),
        (b"a,b\n1,2\n1,2,3\n", "line 3.*every line as many fields"),
        ("a,b\nZ\u00fcrich,2\n".encode("latin-1"), "UTF-8"),
        (b"PK\x03\x04\xff\xfe\x00", "Excel.*save it as CSV"),
        (b"PAR1\xff\xfe\x00", "data=panel_parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_with_the_way_out(tmp_path, content, words):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"table.csv cannot be read.*{words}") as refused:
        CsvTable(path=str(path), id=["a"]).load()
    assert "\n" not in str(refused.value)


def test_a_broken_parquet_file_is_one_line(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"not at all a Parquet file")
    with pytest.raises(ConfigError, match=r"table.parquet cannot be read.*file is whole"):
        ParquetTable(path=str(path)).load()
