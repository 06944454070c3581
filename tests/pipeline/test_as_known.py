"""A fit and a forecast depend on nothing that did not exist then: not values, rows, series, levels.

Each configuration is asked twice: on a table, and on the same table with everything rewritten that
must not matter.  The forecasts of the first cutoff are compared bit for bit.
"""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.scaling import Scaler
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.losses import MultiQuantile
from lanecast.pipeline.folds import Fold, FoldOptions, forecast_fold
from lanecast.sources import SourceTable
from small_models import HARDWARE, LEVELS, NETWORKS, plan

SPEC = WindowSpec(context=21, horizon=7, min_context=7)
DAYS, CUTOFF = 90, 61
COLUMNS = {
    "y": {"role": "target"},
    "late": {"role": "observed", "delay": "P1D"},
    "size": {"role": "static"},
    "kind": {"role": "static"},
    "origin": {"role": "static"},
}
OPTIONS = FoldOptions(windows=SPEC, quantiles=(0.1, 0.5, 0.9), samples=60, seed=1)


def table():
    rng = np.random.default_rng(3)
    dates = pd.date_range("2024-01-01", periods=DAYS)
    parts = []
    for number, name in enumerate("bdfhjl"):
        first = 40 if name == "d" else 0
        t = np.arange(first, DAYS)
        y = 20 + 5 * number + 6 * np.sin(2 * np.pi * t / 7) + rng.normal(0, 2, len(t))
        frame = pd.DataFrame({"unique_id": name, "ds": dates[first:], "y": y, "late": y + 1})
        frame["size"], frame["kind"] = number, "xy"[number % 2]
        frame["origin"] = "PQR"[number % 3]
        parts.append(frame)
    frame = pd.concat(parts, ignore_index=True)
    gap = (frame["unique_id"] == "f") & frame["ds"].between(dates[CUTOFF - 3], dates[CUTOFF + 1])
    return frame[~gap].reset_index(drop=True), dates


def rewritten():
    """Everything at once that nobody knew at the cutoff."""
    frame, dates = table()
    later = frame["ds"] > dates[CUTOFF]
    frame.loc[later, ["y", "late"]] = 1e6
    frame.loc[frame["ds"] == dates[CUTOFF], "late"] = -7.0  # published a day later
    frame = frame[~(later & frame["unique_id"].isin(["b", "f", "l"]))]
    frame = frame[~(later & (frame["unique_id"] == "h") & (frame["ds"] < dates[CUTOFF + 3]))]
    days = pd.date_range(dates[CUTOFF + 1], periods=60)
    for name, size, kind in (("a", 1e7, "z"), ("e", -4.5, "x"), ("zz", 3.0, "q")):
        born = pd.DataFrame({"unique_id": name, "ds": days, "y": 1e5, "late": 0.0})
        frame = pd.concat([frame, born.assign(size=size, kind=kind, origin="S")])
    return frame.sample(frac=1.0, random_state=1)[[*frame.columns[::-1]]]


def panel_of(frame):
    schema = Schema.from_config({"freq": "D", "columns": COLUMNS})
    return panel_from_table(
        SourceTable(frame=frame.reset_index(drop=True)), schema, calendar={"features": ["weekday"]}
    )


def deep(network="nhits", windows=SPEC, scaler=None, **changes):
    return DeepForecaster(
        name=network,
        network=NETWORKS[network],
        loss=MultiQuantile(levels=list(LEVELS)),
        scaler=scaler or partial(Scaler, per="series"),
        windows=windows,
        optim=plan(val_steps=7, **changes),
        hardware=HARDWARE,
        seed=1,
    )


def forecasts_of(panel, model, *, count=1, refit=True):
    """By series: point, quantiles and paths at the first cutoff, and the names of the others."""
    cutoffs = tuple(CUTOFF + 5 * k for k in range(count))
    _, fold = forecast_fold(panel, model, Fold(until=CUTOFF, cutoffs=cutoffs), options=OPTIONS)
    first = fold.forecasts.index.cutoff_W == CUTOFF
    names = panel.series[fold.forecasts.index.series_W[first]]
    f = fold.forecasts
    values = {}
    for row, name in enumerate(names):
        values[name] = (
            f.point_WH[first][row],
            f.quantiles_WHQ[first][row],
            f.samples_SWH[:, first][:, row],
        )
    return values


def same(one, two):
    assert list(one) == list(two)
    for name in one:
        for kind, a, b in zip(("point", "quantiles", "paths"), one[name], two[name], strict=True):
            gap = np.abs(a.astype(float) - b)
            assert a.tobytes() == b.tobytes(), f"{kind} of {name} moves by {gap.max()}"


MODELS = {
    "linear": partial(deep, "linear"),
    "nhits": deep,
    "itransformer": partial(deep, "itransformer"),
}


@pytest.mark.parametrize("name", MODELS)
def test_forecast_depends_on_nothing_that_did_not_exist(name):
    base = forecasts_of(panel_of(table()[0]), MODELS[name]())
    same(base, forecasts_of(panel_of(rewritten()), MODELS[name](), count=2))
