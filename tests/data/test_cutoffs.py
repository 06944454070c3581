"""Cutoffs: the last windows of a table by default; one outside the table is told what it may be."""

import pandas as pd
import pytest

from lanecast.data.cutoffs import cutoff_step, rolling_cutoffs
from lanecast.errors import ConfigError
from small_tables import load, long_table, says, schema

ROLLING = {"first": None, "step": 7, "count": 3, "horizon": 14}


def panel_of(**options):
    return load(long_table(days=100), schema(**options))


def dates(panel, steps):
    return [f"{panel.time_of(step):%F}" for step in steps]


def told(panel, **changed):
    with pytest.raises(ConfigError) as refused:
        rolling_cutoffs(panel, **{**ROLLING, **changed})
    return str(refused.value)


def test_default_cutoffs_end_with_the_last_target():
    panel = panel_of()  # 2024-01-01 to 2024-04-09
    steps = rolling_cutoffs(panel, **ROLLING)
    assert dates(panel, steps) == ["2024-03-12", "2024-03-19", "2024-03-26"]
    assert steps[-1] + 14 == panel.last_step


def test_future_rows_move_no_default_cutoff():
    table = long_table(days=100)
    ahead = long_table(days=120).drop(columns="y").query("ds > '2024-04-09'")
    declared = schema(promo={"role": "known_future"})
    panel = load(table.assign(promo=0), declared, future=ahead.assign(promo=1))
    assert rolling_cutoffs(panel, **ROLLING) == rolling_cutoffs(panel_of(), **ROLLING)


def test_null_count_takes_all_that_fit_after_the_first():
    steps = rolling_cutoffs(panel_of(), **{**ROLLING, "first": "2024-03-01", "count": None})
    assert steps == [60, 67, 74, 81]


def test_nothing_given_leaves_the_test_undefined():
    says(told(panel_of(), count=None), "protocol.first_cutoff", "protocol.count", "set one")


def test_too_many_windows_are_told_how_many_fit():
    says(told(panel_of(), count=30), "protocol.count=30", "2024-01-01", "2024-04-09", "room for 13")
    assert len(rolling_cutoffs(panel_of(), **{**ROLLING, "count": 13})) == 13
    late = told(panel_of(), first="2024-03-20")
    says(late, "protocol.count=3", "between 2024-03-20", "2024-04-09", "room for 1")


@pytest.mark.parametrize("first", ["2013-07-04", "2024-03-27", "2026-01-01", "2030-01-01"])
def test_a_first_cutoff_outside_names_the_key_the_last_target_and_what_it_may_be(first):
    message = told(panel_of(), first=first)
    says(message, f"protocol.first_cutoff={first}", "last target is 2024-04-09", "14 steps after")
    says(message, "2024-01-01", "to 2024-03-26")
    assert "2027" not in message  # where the grid of the calendar ends


@pytest.mark.parametrize("time", ["soon", 2024, 20240301, True, ""])
def test_what_is_no_date_is_told_how_to_write_one(time):
    with pytest.raises(ConfigError, match=r"cutoff=.* is no date; write it as 2024-06-18"):
        cutoff_step(panel_of(), time, key="cutoff")


def test_a_time_between_two_steps_is_told_the_frequency():
    with pytest.raises(ConfigError, match=r"2024-03-01 12:00 is no cutoff.*in steps of D"):
        cutoff_step(panel_of(), "2024-03-01 12:00", key="protocol.last_cutoff")


def test_a_cutoff_to_forecast_from_may_lie_where_late_targets_are_not_there_yet():
    late = panel_of(y={"role": "target", "delay": "P2D"})
    assert cutoff_step(late, "2024-04-11", key="cutoff") == 101
    with pytest.raises(ConfigError, match=r"cutoff=2024-04-10 .* to 2024-04-09"):
        cutoff_step(panel_of(), "2024-04-10", key="cutoff")


def test_times_in_utc_are_taken_as_they_are():
    moment = pd.Timestamp("2024-03-01", tz="UTC")
    assert cutoff_step(panel_of(), moment, key="cutoff") == 60
