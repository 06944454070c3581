"""The job that Python is judged by, as its docstring and the docs show it: at most 16 lines."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

import lanecast.api

HORIZON = 14


def orders() -> pd.DataFrame:
    """Daily parcels of four lanes over 40 weeks; a promotion lifts a day by half."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=280 + HORIZON)
    season = 1.5 + np.sin(2 * np.pi * np.arange(len(days)) / 7)
    rows = []
    for size, (origin, dest) in enumerate([("ATL", "BOS"), ("ATL", "DEN"), ("BOS", "DEN")], 1):
        promo = rng.random(len(days)) < 0.15
        mean = 40 * size * season * np.where(promo, 1.5, 1.0)
        lane = {"origin": origin, "dest": dest, "date": days, "parcels": rng.poisson(mean)}
        rows.append(pd.DataFrame({**lane, "promo": promo.astype(int)}))
    return pd.concat(rows)


def block() -> str:
    """The Python of the docstring."""
    (code,) = re.findall(r"```python\n(.*?)```", str(lanecast.api.__doc__), flags=re.DOTALL)
    return str(code)


def test_the_job_is_sixteen_lines_at_most() -> None:
    lines = block().strip().splitlines()
    assert len(lines) <= 18, "blank lines included"
    assert len([line for line in lines if line.strip()]) <= 16
    assert max(map(len, lines)) <= 100
    for step in ("panel", "known_future", "cutoffs=6", "compare", "future=", "plot"):
        assert step in block()


def test_the_job_runs_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    table = orders()
    ahead = table["date"] >= table["date"].max() - pd.Timedelta(days=HORIZON - 1)
    table[~ahead].to_csv("orders.csv", index=False)
    table[ahead].drop(columns="parcels").to_csv("promotions.csv", index=False)
    exec(compile(block(), "the job", "exec"), {})
    shown = capsys.readouterr().out
    assert "Backtest of nhits: 3 series, 6 cutoffs" in shown
    assert "| seasonal_naive |" in shown
    forecast = pd.read_csv("forecast.csv", parse_dates=["ds"])
    assert len(forecast) == 3 * HORIZON
    assert forecast["ds"].min() == table[~ahead]["date"].max() + pd.Timedelta(days=1)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"orders.csv", "promotions.csv", "forecast.csv", "lane.png"}
    pyplot.close("all")
