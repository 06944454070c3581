"""Numbers as people write them: a text is refused with the option that reads it."""

import pandas as pd
import pytest

from lanecast.data.ingest.layout import panel_from_table
from lanecast.errors import SchemaError
from lanecast.sources import SourceTable
from lanecast.sources.tables import CsvTable, ParquetTable
from small_tables import long_table, says, schema

COMMA, COMMAS = """'data.source.decimal=","'""", """'data.source.thousands=","'"""


def refusal(path, kind, **options):
    with pytest.raises(SchemaError) as caught:
        panel_from_table(kind(path=str(path), **options).load(), schema())
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "words", "options", "number"),
    [
        ("1,5", [COMMA], {"decimal": ","}, 1.5),
        ("-12,75", [COMMA], {"decimal": ","}, -12.75),
        ("1,234", [COMMA, COMMAS], {"thousands": ","}, 1234),
        ("1,234,567", [COMMAS], {"thousands": ","}, 1234567),
        ("1,234.5", [COMMAS], {"thousands": ","}, 1234.5),
        ("1.234,5", ["thousands=.", COMMA], {"decimal": ",", "thousands": "."}, 1234.5),
        ("1.234.567", ["thousands=."], {"decimal": ",", "thousands": "."}, 1234567),
        ("1 234", ["data.source.thousands"], {"thousands": " "}, 1234),
        ("1'234.5", ["data.source.thousands"], {"thousands": "'"}, 1234.5),
    ],
)
@pytest.mark.parametrize("kind", [CsvTable, ParquetTable])
def test_a_notation_is_refused_with_the_option_that_reads_it(
    tmp_path, kind, text, words, options, number
):
    frame = long_table().astype({"y": object})
    frame["y"] = ["7"] * 13 + [text] + ["8"] * 6
    if kind is CsvTable:
        frame.to_csv(path := tmp_path / "t.csv", index=False)
    else:
        frame.astype({"y": "str"}).to_parquet(path := tmp_path / "t.parquet")
    place = "line 15" if kind is CsvTable else "row 14"
    says(refusal(path, kind), f"{path}: ", "'y'", "'b'", place, repr(text), *words)
    panel = panel_from_table(kind(path=str(path), **options).load(), schema())
    assert panel.values[:, 0].tolist() == [7.0] * 13 + [number] + [8.0] * 6


@pytest.mark.parametrize("text", ["12 kg", "$5", "5%", "3 EUR"])
def test_a_number_with_its_unit_is_refused(tmp_path, text):
    long_table().astype({"y": object}).assign(y=text).to_csv(tmp_path / "t.csv", index=False)
    says(refusal(tmp_path / "t.csv", CsvTable), repr(text), "20 such values", "without their unit")


@pytest.mark.parametrize("text", ["n.a.", "?", "missing"])
def test_a_word_for_none_is_refused_and_read_where_it_is_said(tmp_path, text):
    frame = long_table().astype({"y": object})
    frame.loc[13, "y"] = text
    frame.to_csv(tmp_path / "t.csv", index=False)
    message = refusal(tmp_path / "t.csv", CsvTable)
    says(message, "line 15", repr(text), f"data.source.missing=[{text}]")
    source = CsvTable(path=str(tmp_path / "t.csv"), missing=[text])
    assert panel_from_table(source.load(), schema()).counts["targets_missing_in_rows"] == 1


def test_numbers_as_text_in_parquet_are_counted_and_read_where_it_is_said(tmp_path):
    frame = long_table().astype({"y": "str"})
    frame.to_parquet(tmp_path / "t.parquet")
    message = refusal(tmp_path / "t.parquet", ParquetTable)
    says(message, "'0.0' is str, not a number", "20 such values", "data.source.decimal=.")
    source = ParquetTable(path=str(tmp_path / "t.parquet"), decimal=".")
    assert panel_from_table(source.load(), schema()).values[:, 0].tolist() == list(range(20))


@pytest.mark.parametrize("kind", ["category", object])
def test_other_kinds_of_text_are_text(kind):
    frame = long_table()
    frame["y"] = pd.Series(["1.5"] * 20, dtype=kind)
    with pytest.raises(SchemaError, match=r"'1\.5' is str, not a number \(20 such values"):
        panel_from_table(SourceTable(frame=frame), schema())
