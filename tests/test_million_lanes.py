"""A million lanes by 365 days train and are backtested from a memory map, within 4 GB."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

LIMIT = 4 * 2**30
STEPS, LANES, DAYS = 100, 1_000_000, 365
WORK = """
import sys, time, json, numpy as np
from pathlib import Path
from functools import partial
import torch
from benchmarks.speed.preparing import Peak
from lanecast.data.schema import Schema
from lanecast.data.ingest.store import open_store
from lanecast.data.windows import WindowSpec, windows_at
from lanecast.evaluation.score import evaluate
from lanecast.models.deep.forecaster import DeepForecaster
from lanecast.models.deep.losses import MultiQuantile
from lanecast.models.deep.networks.base import NeuralforecastNetwork
from lanecast.models.deep.optimization import Hardware, Optimization
from lanecast.data.scaling import Scaler

folder, (steps, windows, times) = Path(sys.argv[1]), map(int, sys.argv[2:])
told = {}
with Peak() as peak:
    started = time.perf_counter()
    schema = Schema.from_config({"freq": "D", "columns": {"y": {"role": "target"}}})
    panel = open_store(folder, schema, calendar={"features": ["weekday"]})
    options = dict(n_pool_kernel_size=[4, 2, 1], n_freq_downsample=[14, 7, 1],
                   mlp_units=[[256, 256]] * 3)
    spec = WindowSpec(context=56, horizon=14, min_context=14)
    until = panel.last_step - 14
    model = DeepForecaster(
        name="nhits", network=partial(NeuralforecastNetwork, name="NHITS", options=options),
        loss=MultiQuantile(levels=[0.1, 0.5, 0.9]), scaler=Scaler, windows=spec,
        optim=Optimization(optimizer=partial(torch.optim.AdamW, lr=1e-3, fused=True),
                           max_steps=steps, batch_size=512, val_steps=0),
        hardware=Hardware(progress=False, threads=2), seed=1)
    told["open"] = time.perf_counter() - started
    model.fit(panel, until=until)
    told["fit"] = time.perf_counter() - started
    def scored(number):
        began = time.perf_counter()
        at = windows_at(panel, [until], spec)[:number]
        forecasts = model.predict(panel, at=at, quantiles=(0.1, 0.5, 0.9))
        scores = evaluate(forecasts, panel, spec, season=7)
        return time.perf_counter() - began, scores, len(at)
    for _ in range(times - 1):
        scored(5_000)  # imports and threads are not counted
    told["scoring"], scores, number = min(
        (scored(windows) for _ in range(times)), key=lambda found: found[0])
    told["backtest"] = time.perf_counter() - started
print(json.dumps({"peak": peak.extra, "wape": scores.values["wape"],
                  "windows": number, **told}))
"""


def written(folder: Path, lanes: int) -> Path:
    """A store of so many synthetic lanes, as `write_store` lays it out, without a table."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
    with (folder / "values.f32").open("wb") as file:
        for _ in range(0, lanes, 10_000):
            noise = rng.standard_normal((10_000, DAYS), dtype=np.float32)
            (20 * week + 3 * noise).astype(np.float32).tofile(file)
    names = [f"lane{number:07d}" for number in range(lanes)]
    first = pd.Timestamp("2023-01-01")
    series = pd.DataFrame({"unique_id": names, "cells": DAYS, "first": first})
    series.to_parquet(folder / "series.parquet", index=False)
    facts = {"version": 1, "freq": "D", "stored": ["y"], "counts": {}}
    (folder / "store.json").write_text(json.dumps(facts))
    return folder


def told(folder: Path, *, steps: int, windows: int, times: int = 1) -> dict[str, float]:
    """Of several times the windows are scored, the fastest counts."""
    command = [sys.executable, "-W", "ignore", "-c", WORK, str(folder)]
    command += [str(steps), str(windows), str(times)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_million_lanes_within_4_gb_of_anonymous_memory(tmp_path):
    found = told(written(tmp_path / "store", LANES), steps=STEPS, windows=LANES)
    print(
        f"{LANES} lanes x {DAYS} days: open {found['open']:.0f} s, {STEPS} steps done after"
        f" {found['fit']:.0f} s, {found['windows']} windows scored after {found['backtest']:.0f} s,"
        f" at most {found['peak'] / 2**30:.2f} GiB of anonymous memory, wape {found['wape']:.3f}"
    )
    assert found["windows"] == LANES
    assert found["peak"] <= LIMIT
    assert found["wape"] < 0.5


@pytest.mark.slow
def test_the_cost_of_a_backtest_grows_linearly_with_the_lanes(tmp_path):
    sizes = np.array([40_000, 80_000, 160_000])  # fewer are scored on one thread
    stores = [written(tmp_path / f"store{size}", int(size)) for size in sizes]
    seconds = [
        told(store, steps=40, windows=int(size), times=5)["scoring"]
        for store, size in zip(stores, sizes, strict=True)
    ]
    exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    print(f"scoring {sizes.tolist()} lanes: {np.round(seconds, 2)} s, exponent {exponent:.3f}")
    assert abs(exponent - 1) <= 0.1
