"""Every choice of conf/ that makes a pipeline, on a small world, for the probe to rewrite."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from lanecast.audits.leakage import Subject
from lanecast.data.ingest.loading import panel_of
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec
from lanecast.pipeline.building import build_forecaster
from lanecast.sources import SourceTable
from pairwise import Row, covering_rows, diagonal_rows
from small_what_if import COLUMNS, GRAPH, table

CONF = Path(__file__).parents[1] / "conf"
CUTOFF, STEP = pd.Timestamp("2024-05-06"), 5
SPEC = WindowSpec(context=28, horizon=7, min_context=7)
SMOKE = ["trainer=smoke", "trainer.progress=false", "optim.batch_size=16"]
TREES = ["params.n_estimators=10", "params.min_child_samples=5"]
MECHANISMS = ("steps=2", "hidden=4", "batch=6", "segment=48")
# Next to no budget, by class and by name.
TINY = {
    "StackedSeeds": [*SMOKE, "model.seeds=2"],
    "DeepForecaster": SMOKE,
    "Reference": ["model.max_steps=2", "model.threads=1", "+model.options.windows_batch_size=32"],
    "LightGBM": [f"model.{budget}" for budget in TREES],
    "Statistical": ["model.n_jobs=1"],
    "MinTBootstrap": ["model.n_jobs=1", "model.options.approximation=true"],
    "auto_arima": ["+model.options={seasonal: false, max_p: 1, max_q: 1}"],
    "ensemble": [
        "model.members.auto_ets.n_jobs=1",
        *(f"model.members.lightgbm.{budget}" for budget in TREES),
    ],
    "nf_tft": ["+model.options.hidden_size=8"],
    "nf_nhits": ["+model.options.mlp_units=[[8,8],[8,8],[8,8]]"],
}
AROUND = {
    "calibration": ["calibration.steps=28", "calibration.method.least=5"],
    "coupling": [
        "coupling.policy_samples=2",
        *(f"coupling.mechanisms.{budget}" for budget in MECHANISMS),
    ],
    "hierarchy": ["hierarchy.past={steps: 28, stride: 7}", "hierarchy.paths.draws=50"],
}


def choices_of(group: str) -> tuple[str, ...]:
    """The files of a group; a new one enters by itself."""
    files = sorted((CONF / group).glob("*.yaml"))
    names = [path.stem for path in files if not path.stem.startswith("_")]
    return tuple(sorted(names, key=lambda name: name != "none"))  # where nothing is gained: none


def is_deep(model: str) -> bool:
    """Whether a model's file stands on that of the deep models."""
    declared = yaml.safe_load((CONF / "model" / f"{model}.yaml").read_text())
    return "_deep" in declared.get("defaults", [])


def is_network(model: str) -> bool:
    """Whether a model's file stands on that of the deep models, or holds one as its member."""
    declared = yaml.safe_load((CONF / "model" / f"{model}.yaml").read_text())
    parts = declared.get("defaults", [])
    return is_deep(model) or any("/model@member" in part for part in parts)


MODELS = sorted(
    choices_of("model"), key=lambda model: not is_network(model)
)  # the quick ones first


FACTORS = {
    "model": MODELS,
    "hierarchy": choices_of("hierarchy"),
    "coupling": choices_of("coupling"),
    "calibration": choices_of("calibration"),
    "refit": ("never", "each"),
    "count": ("1", "2"),
}


def refused(row: Row) -> str | None:
    """Why choices do not go together, which the build says as well; None where they do."""
    if row.get("model") == "mint_bootstrap" and row.get("hierarchy") == "none":
        return "needs to know what adds up: hierarchy=as_is"
    if row.get("coupling") == "features" and not is_network(row.get("model", "nhits")):
        return "issues rollouts to a network"
    if row.get("coupling") == "mechanism" and not is_deep(row.get("model", "nhits")):
        return "chains a network one step at a time"
    return None


def subject_of(row: Row) -> Subject:
    """A row of choices as a pipeline for the probe."""
    cfg = composed(tuple(sorted((key, row[key]) for key in row if key not in ("refit", "count"))))
    return Subject(
        table=raw_table(),
        schema=Schema.from_config(OmegaConf.to_container(cfg.data.schema)),
        lay_out=partial(panel_of, OmegaConf.to_container(cfg.data, resolve=True)),
        model=build_forecaster(cfg),
        spec=SPEC,
        cutoff=CUTOFF,
        step=STEP if row["count"] == "2" else None,
        refits=(row["refit"],),
        seed=1,
    )


@lru_cache
def raw_table() -> SourceTable:
    """The small world with a lane that ends and one that begins on the way."""
    frame, traits = table()
    names = sorted(frame["unique_id"].unique())
    ended = (frame["unique_id"] == names[1]) & (frame["ds"] > CUTOFF + pd.Timedelta(days=12))
    begun = (frame["unique_id"] == names[4]) & (frame["ds"] < "2024-02-10")
    frame = frame[~ended & ~begun].reset_index(drop=True)
    frame["scheduled"] = frame.groupby("unique_id")["y"].transform(lambda y: y.mean().round())
    frame["scheduled"] += frame["ds"].dt.dayofweek
    return SourceTable(frame=frame.astype({"promo": float}), statics=traits)


@lru_cache
def composed(choices: tuple[tuple[str, str], ...]) -> Any:
    """The config of some choices, with `TINY` budgets."""
    row = dict(choices)
    windows = [
        f"windows.{key}={getattr(SPEC, key)}" for key in ("context", "horizon", "min_context")
    ]
    base = ["data=panel_csv", "data.path=none.csv", "windows=daily_14", *windows]
    base += [f"{key}={value}" for key, value in row.items()]
    base += ["protocol.val_steps=14", "+data.schema.columns.origin.role=static"]
    for group in ("calibration", "hierarchy"):
        if row[group] not in ("none", "as_is"):
            base += AROUND[group]
    base += AROUND["coupling"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        model = compose("backtest", [*base, "paths.output=."]).model
        kind = model._target_.rsplit(".", 1)[-1]
        tiny = [*TINY.get(kind, []), *TINY.get(row["model"], [])]
        cfg = compose("backtest", [*base, *tiny, "paths.output=."])
    with open_dict(cfg):
        cfg.data.schema.columns = {**COLUMNS, "scheduled": {"role": "known_future"}}
        cfg.data.calendar.features = ["weekday"]
        cfg.dag = GRAPH
    return cfg


ROWS, INVALID = covering_rows(FACTORS, refused)
DIAGONAL = diagonal_rows(FACTORS, refused)
