"""The days ahead are checked on their own: an error names their file, their row and their rule."""

import pandas as pd
import pytest

from lanecast.data.ingest.layout import panel_from_table
from lanecast.errors import ConfigError, Faults, SchemaError
from lanecast.sources.tables import CsvTable
from small_tables import long_table, says, schema

KNOWN = {"promo": {"role": "known_future"}, "late": {"role": "observed"}}


def days(first, count, **columns):
    frame = long_table(days=count, **columns)
    return frame.assign(ds=frame["ds"] + (pd.Timestamp(first) - pd.Timestamp("2024-01-01")))


@pytest.fixture
def write(tmp_path):
    """Write a table of 20 days and one of the days ahead, and read both into a panel."""
    days("2024-01-01", 20, promo=0.0, late=1.0).to_csv(tmp_path / "t.csv", index=False)

    def make(future, *, absent="missing", faults=None, form="%Y-%m-%d", **options):
        future.to_csv(tmp_path / "ahead.csv", index=False, date_format=form)
        table = CsvTable(path=str(tmp_path / "t.csv"), **options).load()
        ahead = CsvTable(path=str(tmp_path / "ahead.csv"), **options).load_future()
        declared = schema(absent=absent, **KNOWN)
        return panel_from_table(table, declared, future=ahead, faults=faults)

    return make


def ahead(first="2024-01-21", count=7):
    return days(first, count, promo=1.0).drop(columns="y")


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d 00:00:00", "%Y/%m/%d", "%d %b %Y", "%d/%m/%Y", "%Y-%m-%dT00:00"]
)
def test_days_ahead_may_be_written_in_another_certain_way(write, form):
    panel = write(ahead(), form=form)
    assert panel.end.tolist() == [27, 27]
    assert panel.column("promo")[20:27].tolist() == [1] * 7


@pytest.mark.parametrize("form", ["%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y"])
def test_days_ahead_that_can_be_read_in_two_ways_are_refused(write, form):
    with pytest.raises(SchemaError) as caught:
        write(ahead("2024-02-02"), form=form)
    says(str(caught.value), "ahead.csv: ds of series 'a', line 2", "data.source.date_format=")
    assert "t.csv" not in str(caught.value)


@pytest.mark.parametrize("absent", ["missing", "zero"])
@pytest.mark.parametrize("first", ["2024-01-15", "2024-01-20", "2023-12-25"])
def test_days_ahead_that_overlap_the_table_are_refused(write, first, absent):
    with pytest.raises(SchemaError) as caught:
        write(ahead(first), absent=absent)
    says(str(caught.value), "ahead.csv: the future table has a row of series 'a' at", "line 2")
    says(str(caught.value), "targets until 2024-01-20", "begin after that")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.assign(note=1), ["column 'note' of the future table", "data.source.drop"]),
        (lambda f: f.assign(promo=["x", *[1] * 13]), ["line 2", "'x'", "not a number"]),
        (lambda f: f.assign(promo=[1, None] * 7), ["line 3", "known_future"]),
        (lambda f: f.assign(y=[None, 3] + [None] * 12), ["line 3", "a value of 'y'"]),
        (lambda f: f.drop(columns="promo"), ["'promo' is known_future but missing"]),
        (lambda f: f.assign(ds=f["ds"] + pd.Timedelta(hours=6)), ["grid of the table"]),
        (lambda f: pd.concat([f, f[:2]]), ["more than one row", "line 16", "2 such rows"]),
    ],
)
def test_a_fault_of_the_days_ahead_names_their_file(write, change, words):
    with pytest.raises(SchemaError) as caught:
        write(change(ahead()), form=None)
    message = str(caught.value)
    says(message, "ahead.csv: ", *words)
    assert "t.csv" not in message
    assert message.count("ahead.csv: ") == 1


def test_faults_of_both_files_are_told_at_once(write, tmp_path):
    faults = Faults(keep=True)
    table = pd.read_csv(tmp_path / "t.csv")
    table.loc[3, "ds"] = "soon"
    table.to_csv(tmp_path / "t.csv", index=False)
    with faults.kept_from():
        write(ahead().assign(note=1), faults=faults)
    text = "\n".join(str(fault) for fault in faults.kept)
    says(text, "ahead.csv: column 'note'", "t.csv: ds of series 'a', line 5: 'soon'")


@pytest.mark.parametrize("name", ["B", "b ", "c"])
def test_series_without_a_history_are_told_beside_those_they_look_like(write, name):
    future = ahead()
    future["unique_id"] = future["unique_id"].replace("b", name)
    (warning,) = write(future).warnings
    says(warning, "ahead.csv: 7 rows", repr(name))
    assert ("the table has 'b'" in warning) == (name != "c")


def test_a_file_of_the_days_ahead_that_cannot_be_read_is_named(write, tmp_path):
    (tmp_path / "ahead.csv").write_text("unique_id;ds;promo\na;2024-01-21;1\n")
    with pytest.raises(ConfigError, match=r"ahead\.csv cannot be read.*data\.source\.separator"):
        CsvTable(path=str(tmp_path / "ahead.csv")).load_future()
