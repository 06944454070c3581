"""A newcomer's table with mixed faults: told at once, mended, trained on, backtested, forecast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lanecast.runs.record import read_record
from script_runner import Script, scripts_in

DAYS, HORIZON = 150, 14
FIRST = pd.Timestamp("2024-01-01")
LAST = FIRST + pd.Timedelta(days=DAYS - 1)  # 2024-05-29
LANES = ("ATL>BOS", "ATL>CHI", "BOS>ATL", "CHI>BOS")
CLOSED, UNPROMISED = "CHI>BOS", "BOS>ATL"  # no rows of late; no promotions given for the future

READ_AS = [
    "data=panel_csv",
    "data.path=orders.csv",
    "data.unit=parcels",
    "data.source.id=[origin,dest]",
    "+data.schema.columns.y.non_negative=true",
    "+data.schema.columns.promo.role=known_future",
]
MENDED = [*READ_AS, "data.source.rename={day: ds, orders: y, promotion: promo}"]
SMALL = ["trainer=smoke", "trainer.progress=false", "optim.val_every=2", "model=linear"]
KEPT = ["tracking=none", "paths.runs=runs"]


def sound() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Orders by lane and day, in a user's own words, and the promotions of the next two weeks."""
    rng = np.random.default_rng(0)
    days = pd.date_range(FIRST, periods=DAYS + HORIZON)
    lanes = pd.Series(LANES).repeat(len(days)).str.split(">", expand=True)
    frame = pd.DataFrame({"origin": lanes[0].array, "dest": lanes[1].array})
    frame["day"] = [f"{day:%Y-%m-%d}" for day in days] * len(LANES)
    frame["promotion"] = rng.integers(0, 2, len(frame))
    frame["orders"] = rng.poisson(20 + 10 * frame["promotion"]).astype(float)
    lane, day = frame["origin"] + ">" + frame["dest"], pd.to_datetime(frame["day"])
    is_past, is_closed = day <= LAST, (lane == CLOSED) & (day > LAST - pd.Timedelta(days=80))
    promised = ~is_past & (lane != UNPROMISED)
    return frame[is_past & ~is_closed], frame[promised].drop(columns="orders")


def messy(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with five faults in it."""
    frame = frame.reset_index(drop=True).astype({"orders": object})
    frame.loc[3, "orders"] = -4.0
    frame.loc[5, "orders"] = "12 pcs"
    frame.loc[31, "day"] = "01.02.2024"
    frame.loc[40, "origin"] = None
    return pd.concat([frame, frame.iloc[[60, 61]]], ignore_index=True)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    with scripts_in(tmp_path, monkeypatch) as run:
        table, future = sound()
        table.to_csv("orders.csv", index=False)
        messy(table).to_csv("messy.csv", index=False)
        future.to_csv("promotions.csv", index=False)
        yield run


def run_folder(name: str) -> Path:
    (folder,) = Path("runs").glob(f"{name}/*/*")
    return folder.absolute()


def test_check_lists_all_faults_at_once_and_leaves_no_run_folder(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    before = set(Path().rglob("*"))
    code = script(
        "check",
        *READ_AS,
        "data.path=messy.csv",
        "data.source.rename={day: ds, orders: y, promotoin: promo}",
        "data.source.drop=[remarks]",
        "protocol.first_cutoff=2034-04-20",
        "data.keep.until=soon",
        "model=lightgbm",
    )
    streams = capfd.readouterr()
    assert code == 1
    assert streams.err == "error: 11 faults\n"
    lines = streams.out.splitlines()
    faults = [line for line in lines if line.startswith("fault: ")]
    expected = [
        ("data.source.rename", "'promotoin'", "did you mean promotion"),
        ("data.source.drop", "'remarks'", "it has"),
        ("data.keep.until=soon", "is no date"),
        ("column 'promo' is declared", "data.source.rename"),
        ("column 'promotion' of the table is not declared", "data.source.drop"),
        ("unique_id is missing in line 42", "name of its series"),
        ("line 33: '01.02.2024' is written otherwise than '2024-01-01'", "write all times alike"),
        ("'ATL>BOS' has more than one row at 2024-03-01", "keep one row"),
        ("column 'y'", "'ATL>BOS' at 2024-01-06", "'12 pcs' is str, not a number"),
        ("column 'y'", "'ATL>BOS' at 2024-01-04", "-4.0 is negative", "non_negative"),
        ("protocol.first_cutoff=2034-04-20", "last target is 2024-05-29", "to 2024-05-15"),
    ]
    assert len(faults) == len(expected)
    for parts in expected:
        assert any(all(part in fault for part in parts) for fault in faults), parts
    assert set(Path().rglob("*")) == before


def test_a_mended_table_is_checked_trained_on_backtested_and_forecast(
    script: Script, capfd: pytest.CaptureFixture[str]
) -> None:
    # check: no faults; what will be left out is named
    ahead = ["data.future_path=promotions.csv"]
    assert script("check", *MENDED, *ahead, "model=linear") == 0
    *notes, verdict = capfd.readouterr().out.splitlines()
    assert all(note.startswith("note: ") for note in notes)
    (closed,) = (note for note in notes if note.endswith(repr(CLOSED)))
    (unpromised,) = (note for note in notes if note.endswith(repr(UNPROMISED)))
    assert "1 of 4 series have fewer than 14 targets in the last 56 steps" in closed
    assert "lack promo for some of the 14 steps after the last target" in unpromised
    assert verdict.startswith(
        "no faults: 4 series, 150 steps of D, 2024-01-01 to 2024-05-29; next step: lanecast train"
    )
    assert not Path("runs").exists()

    # train, and backtest the last windows of the table, then from a cutoff of one's own
    assert script("train", *MENDED, *SMALL, *KEPT, "name=trained") == 0
    last = ["protocol.count=2", "protocol.step=7", "name=last"]
    assert script("backtest", *MENDED, *SMALL, *KEPT, *last) == 0
    cutoffs = read_record(run_folder("last"))["split"]["cutoffs"]
    assert cutoffs == ["2024-05-08 00:00:00", "2024-05-15 00:00:00"]
    own = ["protocol.first_cutoff=2024-04-20", "protocol.count=2", "protocol.step=7", "name=own"]
    assert script("backtest", *MENDED, *SMALL, *KEPT, *own) == 0
    frame = pd.read_parquet(run_folder("own") / "forecasts.parquet")
    assert [f"{day:%F}" for day in frame["cutoff"].unique()] == ["2024-04-20", "2024-04-27"]
    capfd.readouterr()
    outside = ["protocol.first_cutoff=2024-05-20", "name=outside"]
    assert script("backtest", *MENDED, *SMALL, *KEPT, *outside) == 2
    (error,) = capfd.readouterr().err.splitlines()
    assert error.startswith("error: protocol.first_cutoff=2024-05-20 is no cutoff of this table")
    assert "last target is 2024-05-29" in error
    assert "2024-01-01" in error
    assert "2024-05-15" in error

    # forecast: two lanes are left out and named, the others are forecast
    run = [f"run={run_folder('trained')}", *ahead, *KEPT, "name=ahead"]
    assert script("check", run[0], *ahead) == 0
    capfd.readouterr()
    assert script("forecast", *run, f'plot=["{LANES[1]}"]') == 0
    lines = capfd.readouterr().out.splitlines()
    folder = run_folder("ahead")
    closed, unpromised = read_record(folder)["warnings"]
    assert closed.startswith("1 of 4 series are not forecast")
    assert closed.endswith(repr(CLOSED))
    assert f"missing: {UNPROMISED!r} (promo from 2024-05-30)" in unpromised
    assert {closed, unpromised} <= set(lines)
    table = pd.read_csv(folder / "forecasts.csv")
    assert table["unique_id"].unique().tolist() == ["ATL>BOS", "ATL>CHI"]
    assert (table["ds"].min(), table["ds"].max()) == ("2024-05-30", "2024-06-12")
    assert (folder / "forecasts.parquet").is_file()
    assert (folder / "forecast.png").read_bytes().startswith(b"\x89PNG")
    assert lines[-1 - HORIZON - 1].split() == ["total", "per", "step", "parcels"]
    day, total = lines[-2].split()
    assert day == "2024-06-12"
    assert float(total) == pytest.approx(table.loc[table["ds"] == day, "linear"].sum(), rel=1e-3)
    closing = "completed: 2 series, 14 steps of D, 2024-05-30 to 2024-06-12; see runs/ahead/"
    assert lines[-1].startswith(closing)
