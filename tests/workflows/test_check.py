"""What `check` tells: faults of files, declarations, windows, machine; notes; what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from lane_table import lanes
from script_runner import scripts_in

NAIVE = ["data=panel_csv", "data.path=lanes.csv", "model=seasonal_naive"]
DECLARED = [
    "+data.schema.columns.promo.role=known_future",
    "+data.schema.columns.late.role=observed",
]
Check = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Check]:
    """Exit code and lines of a check in a folder with a sound table; what it leaves is refused."""
    with scripts_in(tmp_path, monkeypatch) as run:
        table, future = lanes()
        table.to_csv("lanes.csv", index=False)
        future.to_csv("future.csv", index=False)
        before = set(Path().rglob("*"))

        def checked(*argv: str) -> tuple[int, list[str]]:
            capfd.readouterr()
            code = run("check", *argv)
            streams = capfd.readouterr()
            assert set(Path().rglob("*")) == before
            return code, [*streams.out.splitlines(), *streams.err.splitlines()]

        yield checked


def says(lines: list[str], *parts: str) -> None:
    """One of the lines holds all parts."""
    assert any(all(part in line for part in parts) for line in lines), (parts, lines)


def test_sound_table_is_told_its_size_and_the_next_step(check: Check) -> None:
    ahead = "data.future_path=future.csv"
    code, lines = check(*NAIVE, *DECLARED, ahead)
    assert code == 0
    size = "no faults: 2 series, 150 steps of D, 2024-01-01 to 2024-05-29; next step:"
    assert lines[-1].startswith(f"{size} lanecast train data=panel_csv data.path=lanes.csv")
    code, lines = check(*NAIVE, *DECLARED, ahead, "protocol.count=2")
    assert code == 0
    assert "next step: lanecast backtest data=panel_csv" in lines[-1]
    assert lines[-1].endswith("protocol.count=2")


def test_faults_of_every_part_of_the_config_are_told_together(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, lines = check(
        "data=panel_csv",
        "data.path=lanes.csv",
        "data.future_path=nowhere.csv",
        "+data.schema.columns.promo.role=known_futur",
        "+data.schema.columns.late.role=observed",
        "data.calendar.features=[weekdy]",
        "+data.keep.least=3",
        "windows.context=500",
        "model=linear",
        "trainer=gpu",
    )
    assert code == 1
    assert lines[-1] == "error: 6 faults"
    says(lines, "fault: trainer.accelerator=gpu", "trainer=cpu")
    says(lines, "no data at nowhere.csv", "set data.future_path")
    says(lines, "column 'promo': role='known_futur' is not one of target, observed, known_future")
    says(lines, "data.calendar.features: 'weekdy' is none of weekday")
    says(lines, "data.keep", "'least'", "min_rows, until, busiest")
    says(lines, "windows.context=500 is longer than every series", "150 steps")


def test_file_and_frequency_that_are_wrong_are_told_together(check: Check) -> None:
    code, lines = check(*NAIVE, "data.path=nowhere.csv", "data.schema.freq=fortnight")
    assert code == 1
    assert lines[-1] == "error: 2 faults"
    says(lines, "no data at nowhere.csv")
    says(lines, "freq='fortnight' is not a pandas frequency alias")


def test_missing_path_is_one_fault_that_names_its_key(check: Check) -> None:
    code, lines = check("data=panel_csv", "model=seasonal_naive")
    assert code == 1
    assert lines == ["fault: data.path has no value yet; set data.path=...", "error: 1 fault"]


def test_without_a_time_column_the_other_columns_are_told(check: Check) -> None:
    code, lines = check(*NAIVE, *DECLARED, "data.source.rename={ds: day}")
    assert code == 1
    says(lines, "column 'ds' is declared", "data.source.rename")
    says(lines, "column 'day' of the table is not declared")
    assert lines[-1] == "error: 2 faults"


def test_windows_that_only_the_default_backtest_lacks_are_a_note(check: Check) -> None:
    short = ["windows.context=100", "windows.min_context=60"]
    code, lines = check(*NAIVE, *DECLARED, *short)
    assert code == 0
    says(lines, "note: backtest needs other cutoffs", "no training window", "protocol.count")
    code, lines = check(*NAIVE, *DECLARED, *short, "protocol.count=8")
    assert code == 1
    says(lines, "fault: no training window")


def test_what_forecasting_will_need_is_a_note(check: Check) -> None:
    code, lines = check(*NAIVE, *DECLARED)
    assert code == 0
    says(lines, "note: forecasting needs promo for 14 steps", "data.future_path")


def test_cutoff_of_a_holdout_is_checked_as_well(check: Check) -> None:
    code, lines = check(*NAIVE, *DECLARED, "protocol=holdout", "protocol.last_cutoff=2025-01-01")
    assert code == 1
    says(lines, "fault: protocol.last_cutoff=2025-01-01 is no cutoff", "2024-05-29")


def test_sums_that_the_table_cannot_have_are_a_fault(check: Check) -> None:
    code, lines = check(*NAIVE, *DECLARED, "hierarchy=ols")
    assert code == 1
    says(lines, "fault: level ['origin'] needs the static column 'origin'")


def test_next_step_repeats_the_words_as_they_were_typed(check: Check) -> None:
    _, lines = check(*NAIVE, *DECLARED, "name=1e5")
    assert lines[-1].endswith("name=1e5")


def test_experiment_is_checked_with_the_cutoffs_that_it_pins(check: Check) -> None:
    code, lines = check("experiment=demo", "model=seasonal_naive")
    assert code == 0
    assert lines[-1].endswith("next step: lanecast backtest experiment=demo model=seasonal_naive")


def test_what_may_be_meant_otherwise_is_a_note_and_with_strict_a_fault(check: Check) -> None:
    table = pd.read_csv("lanes.csv")
    first = table["unique_id"].iloc[0]
    table = pd.concat([table, table[:150].assign(unique_id=f"{first} ")])
    table.loc[table.index[3], "late"] = 9999
    table.to_csv("lanes.csv", index=False)
    code, lines = check(*NAIVE, *DECLARED)
    assert code == 0
    says(lines, "note: ", repr(first), repr(f"{first} "), "differ only by blanks")
    says(lines, "note: column 'late' is 9999", "line 5", "data.source.missing=[9999]")
    code, lines = check(*NAIVE, *DECLARED, "strict=true")
    assert code == 1
    says(lines, "fault: ", "differ only by blanks")
    says(lines, "fault: column 'late' is 9999")


def test_faults_of_every_file_are_told_by_its_name(check: Check) -> None:
    table, future = pd.read_csv("lanes.csv"), pd.read_csv("future.csv")
    table.loc[[2, 9], "ds"] = ["31/01/2024", "2034-01-10"]
    table["late"] = table["late"].astype(object)
    table.loc[4, "late"] = "1,5"
    table.to_csv("lanes.csv", index=False)
    future["ds"] = pd.to_datetime(future["ds"]).dt.strftime("%d/%m/%Y").str.replace("/06/", "/6/")
    future[pd.to_datetime(future["ds"], dayfirst=True).dt.day < 12].to_csv(
        "future.csv", index=False
    )
    code, lines = check(*NAIVE, *DECLARED, "data.future_path=future.csv")
    assert code == 1
    says(lines, "lanes.csv: ds of series", "line 4", "'31/01/2024' is written otherwise")
    says(lines, "lanes.csv: series", "2034-01-10", "line 11", "a mistyped year")
    says(lines, "lanes.csv: column 'late'", "line 6", "'1,5'", "data.source.decimal")
    says(lines, "future.csv: ds of series", "line 2", "data.source.date_format=%d/%m/%Y")
