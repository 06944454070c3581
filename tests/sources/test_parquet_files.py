"""Parquet as it lies about: parts of other types, keys in the names of folders, ids as numbers."""

import datetime

import numpy as np
import pandas as pd
import pytest

from lanecast.errors import ConfigError, Faults
from lanecast.sources.tables import CsvTable, ParquetTable


def rows(name="a", days=3, **columns):
    dates = pd.date_range("2024-01-01", periods=days)
    return pd.DataFrame({"unique_id": name, "ds": dates, "y": 1.5, **columns})


def load(path, **options):
    return ParquetTable(path=str(path), **options).load()


@pytest.mark.parametrize(
    ("first", "second"),
    [("int64", "float64"), ("float64", "int32"), ("int8", "int64"), ("float32", "int64")],
)
def test_parts_may_hold_whole_numbers_and_fractions(tmp_path, first, second):
    rows("a", y=2).astype({"y": first}).to_parquet(tmp_path / "1.parquet")
    rows("b", y=3).astype({"y": second}).to_parquet(tmp_path / "2.parquet")
    frame = load(tmp_path).frame
    assert frame["y"].tolist() == [2, 2, 2, 3, 3, 3]
    assert frame["unique_id"].tolist() == [*"aaabbb"]


@pytest.mark.parametrize("other", ["str", "bool"])
def test_parts_whose_types_do_not_meet_are_named(tmp_path, other):
    rows("a").to_parquet(tmp_path / "1.parquet")
    rows("b", y=1).astype({"y": other}).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(
        ConfigError, match=r"'y' is double in 1.parquet, but .* in 2.parquet; write"
    ):
        load(tmp_path)


def test_a_column_that_a_part_lacks_is_told(tmp_path):
    rows("a").to_parquet(tmp_path / "1.parquet")
    rows("b", late=1.0).to_parquet(tmp_path / "2.parquet")
    table = load(tmp_path)
    assert table.frame["late"].isna().tolist() == [True] * 3 + [False] * 3
    assert "'late' is not in 1 of 2 parts, such as 1.parquet" in table.warnings[0]


@pytest.mark.parametrize("keys", [["007", "010"], ["NA", "1e5"], ["a=b", "A>B"], ["1", "2"]])
def test_an_id_in_the_names_of_folders_is_text(tmp_path, keys):
    parts = [rows("x").assign(origin=key).rename(columns={"unique_id": "dest"}) for key in keys]
    pd.concat(parts).to_parquet(tmp_path / "parts", partition_cols=["origin"])
    frame = load(tmp_path / "parts", id=["origin", "dest"]).frame
    assert sorted(set(frame["unique_id"])) == sorted(f"{key}>x" for key in keys)


def test_a_number_in_the_names_of_folders_is_a_number_unless_it_is_an_id(tmp_path):
    frame = pd.concat([rows("a", promo=0), rows("b", promo=1)])
    frame.to_parquet(tmp_path / "parts", partition_cols=["promo"])
    assert load(tmp_path / "parts").frame["promo"].sum() == 3


def test_a_date_in_the_names_of_folders_is_the_time(tmp_path):
    frame = rows("a").assign(ds=lambda table: table["ds"].dt.strftime("%Y-%m-%d"))
    frame.to_parquet(tmp_path / "parts", partition_cols=["ds"])
    assert load(tmp_path / "parts").frame["ds"].tolist() == frame["ds"].tolist()


@pytest.mark.parametrize("index", ["ds", "unique_id"])
def test_an_index_with_a_name_is_a_column(tmp_path, index):
    rows().set_index(index).to_parquet(tmp_path / "t.parquet")
    assert {"unique_id", "ds", "y"} == set(load(tmp_path / "t.parquet").frame)


def test_a_row_is_named_by_its_part(tmp_path):
    for number in (1, 2):
        rows(str(number)).to_parquet(tmp_path / f"{number}.parquet")
    (tmp_path / "_SUCCESS").touch()
    place = load(tmp_path).origin.place
    assert [place(row) for row in (0, 4)] == ["row 1 of 1.parquet", "row 2 of 2.parquet"]


def test_a_foreign_file_among_the_parts_is_named(tmp_path):
    rows().to_parquet(tmp_path / "1.parquet")
    (tmp_path / "notes.txt").write_text("parts of 2024")
    with pytest.raises(ConfigError, match=r"notes.txt cannot be read.*Parquet parts alone"):
        load(tmp_path)


def test_a_folder_without_parts_is_named(tmp_path):
    with pytest.raises(ConfigError, match="holds no Parquet file"):
        load(tmp_path)


def test_numbers_as_text_are_read_where_it_is_said_how(tmp_path):
    frame = rows(y=["1.234,5", "-2,0", None], note=["x", "1", "2"])
    frame.to_parquet(tmp_path / "t.parquet")
    table = load(tmp_path / "t.parquet", decimal=",", thousands=".").frame
    np.testing.assert_array_equal(table["y"], [1234.5, -2.0, np.nan])
    assert table["note"].tolist() == ["x", "1", "2"]
    assert pd.api.types.is_string_dtype(load(tmp_path / "t.parquet").frame["y"].dtype)


@pytest.mark.parametrize("missing", [[-999], ["-999"]])
def test_values_that_mean_none_are_missing(tmp_path, missing):
    rows(y=[1.0, -999.0, 3.0]).to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet", missing=missing).frame["y"].isna().tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        ([7, 8, 9], ["7", "8", "9"]),
        ([7.0, np.nan, 9.0], ["7", None, "9"]),
        ([7.5, 8.0, 9.0], ["7.5", "8.0", "9.0"]),
        (["007", "7", "NA"], ["007", "7", "NA"]),
        ([True, False, True], ["True", "False", "True"]),
        ([datetime.date(2024, 1, 2)] * 3, ["2024-01-02"] * 3),
    ],
)
def test_ids_are_text_and_whole_numbers_are_whole(tmp_path, ids, names):
    rows().assign(unique_id=ids).to_parquet(tmp_path / "t.parquet")
    ids = load(tmp_path / "t.parquet").frame["unique_id"]
    assert [None if pd.isna(name) else name for name in ids] == names


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        ([("A>B", "C"), ("A", "B>C")], "A>B>C"),
        ([(">", ""), ("", ">")], ">>"),
        ([("a", ">b"), ("a>", "b")], "a>>b"),
    ],
)
def test_two_series_that_would_become_one_are_refused(tmp_path, pairs, name):
    frame = pd.concat(rows().assign(origin=a, dest=b) for a, b in pairs)
    frame.drop(columns="unique_id").to_parquet(tmp_path / "t.parquet")
    source = ParquetTable(path=str(tmp_path / "t.parquet"), id=["origin", "dest"])
    with pytest.raises(ConfigError) as caught:
        source.load()
    for words in (repr(pairs[0]), repr(pairs[1]), repr(name), "1 such name", "data.source.id"):
        assert words in str(caught.value)
    faults = Faults(keep=True)
    source.load(faults)
    assert len(faults.kept) == 1


def test_parts_that_hold_the_mark_and_stay_apart_are_read(tmp_path):
    frame = pd.concat([rows().assign(origin="A>B", dest="C"), rows().assign(origin="A", dest="C")])
    frame.drop(columns="unique_id").to_csv(tmp_path / "t.csv", index=False)
    names = CsvTable(path=str(tmp_path / "t.csv"), id=["origin", "dest"]).load().frame["unique_id"]
    assert sorted(set(names)) == ["A>B>C", "A>C"]


def test_ids_of_several_types_that_read_alike_are_refused():
    from lanecast.sources.frames import FrameTable

    frame = rows().assign(unique_id=pd.Series([7, "7", "8"], dtype=object))
    with pytest.raises(ConfigError, match=r"7 \(int\) and '7' \(str\).*both be named '7'"):
        FrameTable(path="frame", frames={"frame": frame}).load()
