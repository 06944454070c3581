"""All faults of a table at once: each check goes on with what is sound."""

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest.layout import panel_from_table
from lanecast.errors import Faults, SchemaError
from lanecast.sources import SourceTable
from small_tables import long_table, says, schema

COLUMNS = {
    "y": {"role": "target", "non_negative": True},
    "promo": {"role": "known_future"},
    "late": {"role": "observed"},
    "region": {"role": "static"},
}


def sound_table():
    return long_table(days=20, promo=0.0, late=1.0, region="north")


def faults_of(frame, *, statics=None, future=None, **changed):
    """Lines of the faults that are kept, and the panel of what is sound, if any."""
    faults, panel = Faults(keep=True), None
    with faults.kept_from():
        panel = panel_from_table(
            SourceTable(frame=frame, statics=statics),
            schema(**{**COLUMNS, **changed}),
            future=future,
            faults=faults,
        )
    return [str(fault) for fault in faults.kept], panel


def messy_table():
    """Eleven faults."""
    frame = sound_table().astype({"ds": object, "late": object})
    frame["ds"] = [f"{day:%Y-%m-%d}" for day in frame["ds"]]
    frame.loc[3, "y"] = -4.0
    frame.loc[[4, 5], "y"] = np.inf
    frame.loc[6, "ds"] = "soon"
    frame.loc[7, "ds"] = "31/01/2024"
    frame.loc[8, "ds"] = None
    frame.loc[9, "promo"] = np.nan
    frame.loc[10, "late"] = "many"
    frame.loc[11, "region"] = "south"
    frame.loc[12, "unique_id"] = None
    return pd.concat([frame, frame.iloc[[25, 26]]], ignore_index=True).assign(notes=1)


def test_a_sound_table_has_no_fault():
    lines, panel = faults_of(sound_table())
    assert lines == []
    assert panel.num_series == 2


def test_every_fault_of_a_messy_table_is_one_line_of_its_own():
    lines, panel = faults_of(messy_table())
    assert len(lines) == 11
    assert not any("\n" in line for line in lines)
    text = "\n".join(lines)
    says(text, "column 'notes'", "unique_id is missing in row 12", "the time is missing")
    says(text, "'soon' is no date", "'31/01/2024' is written otherwise than '2024-01-01'")
    says(text, "series 'b' has more than one row at 2024-01-06", "(2 such rows in all)")
    says(text, "the value -4.0 is negative", "the value inf is infinite", "(2 such values in all)")
    says(text, "'promo' of series 'a' at 2024-01-10", "'many' is str, not a number")
    says(text, "static column 'region' varies within series 'a' ('north', 'south'")
    assert panel.num_cells == 40  # the days without a sound row are gaps


def test_the_first_of_the_kept_faults_is_the_one_that_loading_raises():
    with pytest.raises(SchemaError) as refused:
        panel_from_table(SourceTable(frame=messy_table()), schema(**COLUMNS))
    assert str(refused.value) == faults_of(messy_table())[0][0]


def test_a_text_among_numbers_hides_no_other_fault_of_its_column():
    frame = sound_table().astype({"y": object})
    frame.loc[2, "y"] = "n/a"
    frame.loc[3, "y"] = -1.0
    lines, _ = faults_of(frame)
    says("\n".join(lines), "'n/a' is str", "-1.0 is negative")
    assert len(lines) == 2


def test_a_known_future_that_holds_text_is_not_called_missing_as_well():
    frame = sound_table().astype({"promo": object})
    frame.loc[2, "promo"] = "yes"
    (line,) = faults_of(frame)[0]
    says(line, "'promo'", "'yes' is str")


@pytest.mark.parametrize("name", ["unique_id", "ds", "y"])
def test_without_a_key_column_the_other_columns_are_still_told(name):
    lines, panel = faults_of(sound_table().drop(columns=[name, "late"]).assign(notes=1))
    assert panel is None
    text = "\n".join(lines)
    says(text, f"column {name!r} is declared", "column 'late' is declared", "column 'notes'")
    assert len(lines) == 3


def test_a_day_of_a_zone_that_begins_late_is_off_the_grid():
    frame = sound_table()
    frame.loc[3, "ds"] += pd.Timedelta(hours=6)
    frame["ds"] = frame["ds"].dt.tz_localize("America/New_York")
    lines, panel = faults_of(frame)
    says("\n".join(lines), "a row at 2024-01-04 06:00:00, row 3, off the D grid")
    assert len(lines) == 1
    assert panel.num_series == 2


def test_years_beyond_what_a_table_can_hold_are_told():
    frame = sound_table().astype({"ds": object})
    frame["ds"] = [f"{day:%Y-%m-%d}" for day in frame["ds"]]
    frame.loc[3, "ds"] = "9999-12-31"
    says(faults_of(frame)[0][0], "ds of series 'a', row 3", "9999-12-31", "remove the row")


def test_an_empty_id_is_told():
    frame = sound_table()
    frame["unique_id"] = frame["unique_id"].replace("a", " ")
    says(faults_of(frame)[0][0], "unique_id is empty", "name of its series")


def test_two_columns_of_one_name_are_told():
    frame = sound_table().assign(x=1.0).rename(columns={"x": "y"})
    lines, _ = faults_of(frame)
    says(lines[0], "2 columns", "'y'", "data.source.drop")


def test_faults_of_statics_and_of_the_future_are_kept_as_well():
    statics = pd.DataFrame({"unique_id": ["a", "b", "b"], "region": ["n", None, "s"], "size": 1})
    frame = sound_table().drop(columns="region").drop(index=10)
    rows = long_table(days=30, promo=1.0)
    in_the_gap = (rows["unique_id"] == "a") & (rows["ds"] == pd.Timestamp("2024-01-11"))
    future = rows[in_the_gap | (rows["ds"] > pd.Timestamp("2024-01-20"))]
    lines, _ = faults_of(frame, statics=statics, future=future)
    text = "\n".join(lines)
    says(text, "column 'size' of the statics table", "series 'b' has more than one row in the stat")
    says(text, "'region' is missing for series 'b'", "the future table holds a value of 'y'")
    says(text, "the future table has a row of series 'a' at 2024-01-11")


def test_a_future_without_its_columns_leaves_the_table_to_be_checked():
    frame = sound_table()
    frame.loc[2, "y"] = -1.0
    lines, _ = faults_of(frame, future=long_table(days=30).drop(columns="y"))
    says("\n".join(lines), "'promo' is known_future but missing from the future", "is negative")
