"""CSV files as people write them: read, or refused in one line with the option that reads them."""

import gzip
import re

import pandas as pd
import pytest

from lanecast.errors import ConfigError
from lanecast.sources.tables import CsvTable

LINES = ["unique_id,ds,y,note", "K\u00f6ln,2024-01-01,1.5,x", "Z\u00fcrich,2024-01-02,2.5,y"]


@pytest.fixture
def table(tmp_path):
    """Write a file and open it as a table."""

    def make(content, *, name="table.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return CsvTable(path=str(path), **options)

    return make


def text(lines=LINES):
    return "\n".join(lines) + "\n"


def refused(source):
    with pytest.raises(ConfigError) as caught:
        source.load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "gb18030", "utf-16-le"])
def test_another_encoding_is_refused_with_its_option_and_read_with_it(table, encoding):
    content = text().encode(encoding)
    message = refused(table(content))
    assert "table.csv" in message
    assert "data.source.encoding" in message
    frame = table(content, encoding=encoding).load().frame
    assert frame["unique_id"].tolist() == ["K\u00f6ln", "Z\u00fcrich"]


def test_a_letter_that_is_not_utf8_names_its_line(table):
    lines = ["unique_id,ds,y", *["a,2024-01-01,1"] * 20_000, "K\u00f6ln,2024-01-01,2"]
    assert "byte 0xf6 in line 20002" in refused(table(text(lines).encode("latin-1")))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_names_its_encoding_is_read(table, encoding):
    frame = table(text().encode(encoding)).load().frame
    assert list(frame) == ["unique_id", "ds", "y", "note"]
    assert frame["unique_id"].tolist() == ["K\u00f6ln", "Z\u00fcrich"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_refused_with_its_option_and_read_with_it(table, separator):
    content = text([line.replace(",", separator) for line in LINES])
    message = refused(table(content))
    written = separator.replace("\t", "\\t")
    assert f"""'data.source.separator="{written}"'""" in message
    assert table(content, separator=separator).load().frame["y"].tolist() == [1.5, 2.5]


@pytest.mark.parametrize("value", ["1,5", "-2,75"])
def test_a_decimal_comma_is_offered_with_the_separator(table, value):
    content = f"unique_id;ds;y\na;2024-01-01;{value}\n"
    message = refused(table(content))
    assert """'data.source.separator=";"' 'data.source.decimal=","'""" in message
    frame = table(content, separator=";", decimal=",").load().frame
    assert frame["y"].tolist() == [float(value.replace(",", "."))]


@pytest.mark.parametrize("values", [["1.234", "987"], ["1.234", "-2.500", "12"]])
def test_numbers_that_may_be_thousands_or_fractions_are_refused(table, values):
    content = text(["unique_id,ds,y", *(f"a,2024-01-01,{value}" for value in values)])
    message = refused(table(content))
    assert re.search(r"'y' holds 1\.234.*thousands=\. or data\.source\.decimal=\.", message)
    plain = [float(value.replace(".", "")) for value in values]
    assert table(content, thousands=".", decimal=",").load().frame["y"].tolist() == plain
    assert table(content, decimal=".").load().frame["y"].tolist() == [float(v) for v in values]


@pytest.mark.parametrize("values", [["1.234", "98.7"], ["0.5", "1.250"], ["1.234", "2.345"]])
def test_fractions_are_read(table, values):
    content = text(["unique_id,ds,y", *(f"a,2024-01-01,{value}" for value in values)])
    assert table(content).load().frame["y"].tolist() == [float(value) for value in values]


@pytest.mark.parametrize(
    ("line", "fields"), [("b,2024-05-02,1,5,", 5), ("b,2024-05-02", 2), ("b,2024-05-02,1,", 4)]
)
def test_a_line_of_other_fields_than_the_header_is_named(table, line, fields):
    lines = ["unique_id,ds,y", "a,2024-01-01,1", "", '"a\nb",2024-01-01,1', "a,2024-01-02,2"]
    content = text([*lines, line, "b,2024-05-03,1", line])
    message = refused(table(content))
    assert f"line 7 has {fields} fields, but the header has 3 (2 such lines in all)" in message


def test_more_fields_than_the_header_in_every_line_shift_no_column(table):
    assert "line 2 has 4 fields" in refused(table("unique_id,ds,y\na,2024-01-01,1,\n"))


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04\x14\x00", "Excel"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
        (b"PAR1\x15\x04", "data=panel_parquet"),
        (b'{"a": [1]}', "JSON"),
        (b"<html><table>", "web page"),
    ],
)
def test_another_format_is_named(table, start, words):
    assert words in refused(table(start))


@pytest.mark.parametrize("name", ["NA", "None", "null", "NaN", "n/a", "nan"])
def test_an_id_is_text_whatever_it_says(table, name):
    lines = ["unique_id,ds,y,region", f"{name},2024-01-01,NA,{name}", "EU,2024-01-01,2,EU"]
    frame = table(text(lines)).load().frame
    assert frame["unique_id"].tolist() == [name, "EU"]
    assert frame["region"].tolist() == [name, "EU"]
    assert frame["y"].isna().tolist() == [True, False]


def test_an_id_that_is_empty_is_missing(table):
    frame = table(text(["unique_id,ds,y", ",2024-01-01,1", "b,2024-01-01,2"])).load().frame
    assert frame["unique_id"].isna().tolist() == [True, False]


@pytest.mark.parametrize("missing", [[-999], ["-999", "n.a."]])
def test_values_that_mean_none_are_missing_where_it_is_said(table, missing):
    lines = ["unique_id,ds,y,z", "-999,2024-01-01,-999,1", "b,2024-01-01,2,n.a."]
    frame = table(text(lines), missing=missing).load().frame
    assert frame["y"].isna().tolist() == [True, False]
    assert frame["unique_id"].tolist() == ["-999", "b"]
    assert frame["z"].isna().tolist() == [False, "n.a." in missing]


def test_two_columns_of_one_name_are_refused(table):
    assert "2 columns are called 'y'" in refused(table("unique_id,ds,y,y\na,2024-01-01,1,2\n"))


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_packed_file_is_read_and_its_lines_are_named(table, name):
    source = table(gzip.compress(text().encode()), name=name)
    table_ = source.load()
    assert len(table_.frame) == 2
    assert table_.origin.place(1) == "line 3"


def test_a_row_is_named_by_its_line_as_an_editor_counts(table):
    lines = ["unique_id,ds,y", "a,2024-01-01,1", "", '"a\nb",2024-01-01,1', "c,2024-01-02,2"]
    origin = table(text(lines)).load().origin
    assert [origin.place(row) for row in range(3)] == ["line 2", "line 5", "line 6"]


def test_a_file_marked_by_excel_is_read(table):
    frame = table("sep=;\nunique_id;ds;y\na;2024-01-01;1\n").load().frame
    assert list(frame) == ["unique_id", "ds", "y"]


def test_a_folder_is_no_csv_file(tmp_path):
    (tmp_path / "parts").mkdir()
    with pytest.raises(ConfigError, match=r"is a folder.*data=panel_parquet"):
        CsvTable(path=str(tmp_path / "parts")).load()


def test_leaving_out_the_column_that_a_name_is_wanted_for_keeps_the_renamed_one(table):
    lines = ["unique_id,ds,y,volume", "a,2024-01-01,1,10"]
    source = table(text(lines), rename={"volume": "y"}, drop=["y"])
    pd.testing.assert_series_equal(
        source.load().frame["y"], pd.Series([10], name="y"), check_dtype=False
    )
