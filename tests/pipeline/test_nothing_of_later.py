"""A fit and a forecast depend on nothing that did not exist then: not values, rows, series, levels.

Each configuration is asked twice: on a table, and on the same table with everything rewritten that
must not matter, beside a later cutoff.  The forecasts of the first are compared bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lanecast.causal.graph.graph import Graph
from lanecast.data.hierarchy import Structure
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.data.scaling import Scaler
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec
from lanecast.models.calibration.conformal import Method
from lanecast.models.calibration.forecaster import CalibratedForecaster
from lanecast.models.classical.lightgbm import LightGBM
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.classical.smoothing import Smoothing
from lanecast.models.classical.statistical import Statistical
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.losses import MultiQuantile
from lanecast.models.deep.seeds import StackedSeeds
from lanecast.models.ensemble import Ensemble
from lanecast.models.hierarchy.forecaster import PastPlan, PathPlan, ReconciledForecaster
from lanecast.models.protocol import Forecaster
from lanecast.pipeline.folds import Fold, FoldOptions, forecast_fold
from lanecast.sources import SourceTable
from lanecast.whatif.coupled import CoupledForecaster
from small_models import HARDWARE, LEVELS, NETWORKS, plan

SPEC = WindowSpec(context=21, horizon=7, min_context=7)
DAYS, CUTOFF, LATER = 120, 89, 94
COLUMNS: dict[str, dict[str, Any]] = {
    "y": {"role": "target", "non_negative": True},
    "late": {"role": "observed", "delay": "P1D", "non_negative": True},
    "promo": {"role": "observed", "manipulable": True},
    "price": {"role": "known_future", "manipulable": True, "non_negative": True},
    "size": {"role": "static"},
    "kind": {"role": "static"},
    "origin": {"role": "static"},
}
GRAPH: dict[str, Any] = {
    "nodes": {
        "promo": {
            "kind": "treatment",
            "family": "bernoulli",
            "reference": 0.0,
            "policy_parents": [{"node": "orders", "lags": [1]}],
        },
        "price": {"kind": "treatment", "link": "log", "policy_parents": []},
        "orders": {"kind": "endogenous", "column": "y", "link": "log1p"},
        "late": {"kind": "endogenous", "link": "log1p"},
    },
    "edges": [
        {"from": "promo", "to": "orders", "lags": [0, 1], "memory": 2},
        {"from": "price", "to": "orders", "lags": [0], "memory": 0},
        {"from": "orders", "to": "orders", "lags": [1, 7]},
        {"from": "orders", "to": "late", "lags": [0]},
    ],
}
OPTIONS = FoldOptions(windows=SPEC, quantiles=(0.1, 0.5, 0.9), samples=50, seed=1)


def table() -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    """Six lanes of three origins, one born on the way, one with a gap around the cutoff."""
    rng = np.random.default_rng(3)
    dates = pd.date_range("2024-01-01", periods=DAYS)
    parts = []
    for number, name in enumerate("bdfhjl"):
        first = 50 if name == "d" else 0
        t = np.arange(first, DAYS)
        promo = (rng.random(len(t)) < 0.3).astype(float)
        price = np.exp(0.1 * rng.standard_normal(len(t)))
        week = 1 + 0.3 * np.sin(2 * np.pi * t / 7)
        y = (20 + 5 * number) * week * (1 + 0.3 * promo) / price + rng.normal(0, 1, len(t))
        frame = pd.DataFrame({"unique_id": name, "ds": dates[first:], "y": y, "late": 2 * y})
        frame["promo"], frame["price"] = promo, price
        frame["size"], frame["kind"], frame["origin"] = number, "xy"[number % 2], "PQR"[number % 3]
        parts.append(frame)
    frame = pd.concat(parts, ignore_index=True)
    gap = (frame["unique_id"] == "f") & frame["ds"].between(dates[CUTOFF - 3], dates[CUTOFF + 1])
    frame.loc[gap, ["y", "late", "promo"]] = np.nan
    return frame, dates


def rewritten() -> pd.DataFrame:
    """Everything at once that nobody knew at the cutoff: what lies ahead keeps its price alone."""
    frame, dates = table()
    unknown, far = frame["ds"] > dates[CUTOFF], frame["ds"] > dates[CUTOFF + SPEC.horizon]
    ends, returns = frame["unique_id"].isin(["b", "l"]), frame["unique_id"] == "h"
    frame.loc[unknown, ["y", "late"]] = 1e4
    frame.loc[unknown, "promo"] = 1.0
    frame.loc[unknown & returns & (frame["ds"] < dates[CUTOFF + 3]), "y"] = np.nan
    frame.loc[unknown & ends, ["y", "late", "promo"]] = np.nan
    frame.loc[frame["ds"] == dates[CUTOFF], "late"] = 9e3  # published a day later
    frame.loc[far, "price"] = 77.0
    frame = frame[~(far & ends)]
    days = pd.date_range(dates[CUTOFF + 1], periods=60)
    for name, size, kind in (("a", 1e7, "z"), ("e", -4.5, "x"), ("zz", 3.0, "q")):
        born = pd.DataFrame({"unique_id": name, "ds": days, "y": 1e4, "late": 0.0, "promo": 1.0})
        born = born.assign(price=5.0, size=size, kind=kind, origin="S")
        frame = pd.concat([frame, born])
    return frame.sample(frac=1.0, random_state=1)[[*frame.columns[::-1]]]


def panel_of(frame: pd.DataFrame) -> Panel:
    schema = Schema.from_config({"freq": "D", "columns": COLUMNS})
    source = SourceTable(frame=frame.reset_index(drop=True))
    return panel_from_table(source, schema, calendar={"features": ["weekday"]})


@lru_cache
def panels() -> tuple[Panel, Panel]:
    """As it is and as rewritten."""
    return panel_of(table()[0]), panel_of(rewritten())


def deep(network: str = "nhits", per: str = "window", **changes: Any) -> DeepForecaster:
    return DeepForecaster(
        name=network,
        network=NETWORKS[network],
        loss=MultiQuantile(levels=list(LEVELS)),
        scaler=partial(Scaler, per=per),
        windows=SPEC,
        optim=plan(**{"val_steps": 7, **changes}),
        hardware=HARDWARE,
        seed=1,
    )


def naive() -> SeasonalNaive:
    return SeasonalNaive(windows=SPEC, season=7, name="naive")


def lightgbm() -> LightGBM:
    params = {"n_estimators": 8, "num_leaves": 4, "min_child_samples": 5}
    return LightGBM(
        windows=SPEC, season=7, lags=(1, 7), rolling=(7,), params=params, name="lightgbm"
    )


def ets() -> Statistical:
    return Statistical(
        windows=SPEC, kind="AutoTheta", season=7, name="theta", n_jobs=1, progress=False
    )


def members() -> Ensemble:
    return Ensemble(members={"one": deep("linear"), "two": naive()}, name="both")


def stacked() -> StackedSeeds:
    return StackedSeeds(member=deep("linear"), name="seeds", seeds=2, seed=1)


def calibrated(inner: Forecaster, method: str = "aci", by: str = "class") -> CalibratedForecaster:
    rule = Method(name=method, least=10, memory=60 if method == "pid" else None)
    return CalibratedForecaster(
        inner=inner, method=rule, windows=SPEC, by=by, steps=28, stride=3, classes=2
    )


def reconciled(
    inner: Forecaster, method: str = "wls_var", kind: str = "copula", **options: Any
) -> ReconciledForecaster:
    return ReconciledForecaster(
        inner=inner,
        upper=inner.clone(),
        method=method,
        windows=SPEC,
        structure=Structure(levels=[[], ["origin"]]),
        past=PastPlan(steps=35, stride=3),
        paths=PathPlan(draws=50, kind=kind),
        **options,
    )


def coupled(mode: str, network: str = "nhits") -> CoupledForecaster:
    return CoupledForecaster(
        inner=deep(network, max_steps=3, val_steps=0),
        graph=Graph.from_config(GRAPH),
        mode=mode,
        windows=SPEC,
        mechanisms={"steps": 8, "batch": 6, "segment": 32, "hidden": 4},
        policy_samples=4,
    )


PLAIN: dict[str, Callable[[], Forecaster]] = {
    "linear": partial(deep, "linear", "series"),
    "nhits": deep,
    "tft": partial(deep, "tft"),
    "itransformer": partial(deep, "itransformer"),
    "seeds": stacked,
    "naive": naive,
    "theta": ets,
    "smoothing": lambda: Smoothing(windows=SPEC, season=7),
    "lightgbm": lightgbm,
    "ensemble": members,
}
WRAPPED: dict[str, Callable[[], Forecaster]] = {
    "aci": lambda: calibrated(deep("linear")),
    "pid by series": lambda: calibrated(naive(), "pid", "series"),
    "split of lightgbm": lambda: calibrated(lightgbm(), "split"),
    "wls_var": lambda: reconciled(deep("linear")),
    "mint_shrink errors": lambda: reconciled(naive(), "mint_shrink", "errors"),
    "bottom_up": lambda: reconciled(deep("linear"), "bottom_up"),
    "top_down of aci": lambda: reconciled(calibrated(naive()), "top_down"),
    "blocks": lambda: reconciled(deep("linear"), "ols", blocks=(7,)),
}
COUPLED: dict[str, Callable[[], Forecaster]] = {
    **{mode: partial(coupled, mode)
       for mode in ("none", "no_future", "features", "mechanism", "delta", "delta_policy")},
    "aci of delta": lambda: calibrated(coupled("delta", "linear")),
    "wls_var of aci of mechanism": lambda: reconciled(calibrated(coupled("mechanism", "linear"))),
}  # fmt: skip


def answers(panel: Panel, model: Forecaster, *, cutoffs: tuple[int, ...]) -> dict[str, list[Any]]:
    """By series: point, quantiles and paths at the first cutoff."""
    fold = Fold(until=CUTOFF, cutoffs=cutoffs)
    forecasts = forecast_fold(panel, model, fold, options=OPTIONS)[1].forecasts
    assert forecasts.quantiles_WHQ is not None
    assert forecasts.samples_SWH is not None
    return {
        str(panel.series[forecasts.index.series_W[row]]): [
            forecasts.point_WH[row],
            forecasts.quantiles_WHQ[row],
            forecasts.samples_SWH[:, row],
        ]
        for row in np.flatnonzero(forecasts.index.cutoff_W == CUTOFF)
    }


def same_bits(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> None:
    assert list(before) == list(after)
    for name, values in before.items():
        for kind, old, new in zip(
            ("point", "quantiles", "paths"), values, after[name], strict=True
        ):
            gap = np.abs(np.asarray(old, np.float64) - new).max()
            assert old.tobytes() == new.tobytes(), f"{kind} of {name} moves by {gap:g}"


@pytest.mark.parametrize("name", [*PLAIN, *WRAPPED, *COUPLED])
def test_forecast_depends_on_nothing_that_did_not_exist(name: str) -> None:
    build = {**PLAIN, **WRAPPED, **COUPLED}[name]
    panel, other = panels()
    before = answers(panel, build(), cutoffs=(CUTOFF,))
    assert len(before) == 6
    same_bits(before, answers(other, build(), cutoffs=(CUTOFF, LATER)))
