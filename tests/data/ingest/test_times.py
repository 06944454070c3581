"""Times are read where one reading alone is possible, else refused with the option for it."""

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest.times import clean_times
from lanecast.errors import ConfigError, Faults, SchemaError
from lanecast.sources import Dates
from small_tables import says

DAYS = pd.date_range("2024-03-20", periods=20)
FIRST_DAYS = pd.date_range("2024-03-01", "2024-03-12 23:00", freq="h")
BERLIN = DAYS.tz_localize("Europe/Berlin")  # clocks are put forward on 31 March


def ids_of(times):
    return pd.Series(["a"] * len(times))


def read(times, *, freq="D", **dates):
    column = pd.Series(times)
    return clean_times(column, ids_of(column), freq=freq, dates=Dates(**dates)).to_list()


def refused(times, **options):
    with pytest.raises(SchemaError) as caught:
        read(times, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d 00:00", "%Y-%m-%dT00:00:00.000", "%d/%m/%Y", "%m/%d/%Y",
     "%d.%m.%Y 00:00", "%m-%d-%Y 12:00 AM", "%d %b %Y", "%b %d, %Y", "%d-%B-%Y",
     "%d/%m/%Y 00:00:00"],
)  # fmt: skip
def test_a_column_with_one_possible_reading_is_read(form):
    assert read(DAYS.strftime(form)) == DAYS.to_list()


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m-%d-%Y %I:%M %p"])
def test_days_and_months_that_no_row_tells_apart_need_a_format(form):
    texts = FIRST_DAYS.strftime(form)
    message = refused(texts, freq="h")
    says(message, "row 0", texts[0], "288 such rows", f"'data.source.date_format={form}'")
    assert read(texts, freq="h", format=form) == FIRST_DAYS.to_list()


@pytest.mark.parametrize("form", ["%d/%m/%y", "%y-%m-%d", "%d-%b-%y", "%Y%m%d"])
def test_dates_without_a_plain_year_need_a_format(form):
    texts = DAYS.strftime(form)
    says(refused(texts), texts[0], "may be more than one date", "data.source.date_format=")
    assert read(texts, format=form) == DAYS.to_list()


@pytest.mark.parametrize(
    ("form", "numbers"),
    [
        ("excel", (DAYS - pd.Timestamp("1899-12-30")).days.to_numpy()),
        ("excel", (DAYS - pd.Timestamp("1899-12-30")).days.to_numpy() + 0.0),
        ("unix", DAYS.as_unit("s").astype("int64").to_numpy()),
        ("unix_ms", DAYS.as_unit("ms").astype("int64").to_numpy()),
        ("%Y%m%d", DAYS.strftime("%Y%m%d").astype(int).to_numpy()),
    ],
)
def test_numbers_as_times_need_a_format(form, numbers):
    says(refused(numbers), "more than one date", f"data.source.date_format={form}")
    assert read(numbers, format=form) == DAYS.to_list()
    assert read(pd.Series(numbers).astype("str"), format=form) == DAYS.to_list()


@pytest.mark.parametrize("other", ["05/04/2024", "5 Apr 2024", "2024/04/05"])
def test_a_row_that_is_written_otherwise_is_named(other):
    texts = DAYS.strftime("%Y-%m-%d").to_list()
    texts[16] = other
    if other == "2024/04/05":  # year, month, day all the same
        assert read(texts) == DAYS.to_list()
    else:
        says(refused(texts), "row 16", repr(other), "written otherwise than '2024-03-20'")


def test_dates_with_their_day_in_two_places_are_refused():
    texts = [*DAYS.strftime("%d/%m/%Y"), "03/25/2024"]
    says(refused(texts), "'20/03/2024'", "'03/25/2024'", "different places")


@pytest.mark.parametrize("text", ["2024-02-30", "2024-13-01", "2024-03", "soon", "31/31/2024"])
def test_a_text_that_is_no_date_is_named(text):
    texts = ["2024-03-20" if "/" not in text else "20/03/2024"] * 3
    says(refused([*texts, text]), "row 3", repr(text), "is no date")


def test_a_format_that_a_row_does_not_have_names_the_row():
    texts = DAYS.strftime("%d/%m/%Y").to_list()
    texts[4] = "2024-03-24"
    message = refused(texts, format="%d/%m/%Y")
    says(message, "row 4", "'2024-03-24'", "data.source.date_format=%d/%m/%Y")


def test_plain_dates_are_read_beside_a_table_of_another_format():
    assert read(DAYS.strftime("%Y-%m-%d"), format="%d/%m/%Y") == DAYS.to_list()


def test_a_format_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"date_format='%Q' is no format.*%d/%m/%Y"):
        read(["2024"], format="%Q")


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_days_of_a_zone_are_its_local_days(zone):
    local = DAYS.tz_localize(zone)
    assert read(local) == DAYS.to_list()
    assert read([time.isoformat() for time in local]) == DAYS.to_list()  # offsets as text
    assert read(pd.Series(list(local), dtype=object)) == DAYS.to_list()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Shanghai"])
def test_local_midnights_in_utc_need_their_zone(zone):
    local = DAYS.tz_localize(zone)
    utc = local.tz_convert("UTC")
    message = refused(utc)
    says(message, f"{utc[0]:%H:%M}", "in UTC", "data.source.time_zone", "Europe/Berlin")
    assert "floor" not in message  # that would move every date
    assert read(utc, zone=zone) == DAYS.to_list()
    assert read(utc.strftime("%Y-%m-%dT%H:%M:%SZ"), zone=zone) == DAYS.to_list()
    assert read(utc, zone="UTC") == utc.tz_localize(None).to_list()


def test_hours_of_a_zone_need_to_be_told_how_to_count():
    hours = pd.date_range("2024-03-30", "2024-04-01", freq="h", tz="Europe/Berlin")
    says(refused(hours, freq="h"), "Europe/Berlin", "repeat or vanish", "data.source.time_zone=UTC")
    texts = [time.isoformat() for time in hours]
    says(refused(texts, freq="h"), "several time zones", "data.source.time_zone=UTC")
    utc = hours.tz_convert("UTC")
    assert read(hours, freq="h", zone="UTC") == utc.tz_localize(None).to_list()
    assert read(texts, freq="h", zone="UTC") == read(utc, freq="h")


@pytest.mark.parametrize("with_zone", [1, 19])
def test_times_with_and_without_a_zone_are_not_mixed(with_zone):
    texts = DAYS.strftime("%Y-%m-%dT%H:%M:%S").to_list()
    texts[:with_zone] = [f"{text}Z" for text in texts[:with_zone]]
    says(refused(texts), "time zones", "in UTC")


def test_a_zone_for_times_that_name_none_is_refused():
    for times in (DAYS, DAYS.strftime("%Y-%m-%d")):
        says(refused(times, zone="Europe/Berlin"), "name no zone", "leave it out")


def test_a_zone_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"time_zone='Mars' is no time zone.*Europe/Berlin"):
        read(BERLIN, zone="Mars")


def test_all_faults_of_a_column_are_kept_and_the_other_times_are_read():
    texts = DAYS.strftime("%Y-%m-%d").to_list()
    texts[2], texts[5], texts[7], texts[9] = None, "soon", "05/04/2024", "9999-12-31"
    faults = Faults(keep=True)
    times = clean_times(pd.Series(texts), ids_of(texts), faults)
    assert len(faults.kept) == 4
    assert np.flatnonzero(times.isna()).tolist() == [2, 5, 7, 9]
    assert times[19] == DAYS[19]


def test_each_text_is_read_once(monkeypatch):
    seen = []
    plain = pd.to_datetime
    monkeypatch.setattr(pd, "to_datetime", lambda x, **key: seen.append(len(x)) or plain(x, **key))
    read(DAYS.strftime("%d/%m/%Y").to_list() * 1000)
    assert seen == [20]
