"""Engines give the same forecasts to the last bit; and what leaves a run besides."""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from lanecast.runs.record import read_record
from script_runner import scripts_in

REFITS = [
    "model=nhits", "trainer=smoke", "trainer.progress=false", "optim.batch_size=16",
    "optim.val_every=2", "tracking=none", "data=midmile", "data.source.preset=tiny",
    "protocol.first_cutoff=2023-06-14", "protocol.step=7", "protocol.count=3",
    "protocol.refit=each",
]  # fmt: skip


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: lanecast[sweep]")
def test_a_ray_of_two_workers_is_bit_equal_to_the_local_engine(tmp_path, monkeypatch):
    with scripts_in(tmp_path, monkeypatch) as run:
        for engine in (["engine=local"], ["engine=ray", "engine.num_cpus=2"]):
            folder = engine[0].replace("=", "-")
            assert run("backtest", *REFITS, *engine, f"paths.runs={folder}") == 0
    local, ray = (next(Path(tmp_path / f"engine-{e}").rglob("record.json")).parent
                  for e in ("local", "ray"))  # fmt: skip
    ours = pd.read_parquet(local / "forecasts.parquet")
    theirs = pd.read_parquet(ray / "forecasts.parquet")
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    one, two = read_record(local), read_record(ray)
    assert one["scores"] == two["scores"]
    assert one["config_hash"] == two["config_hash"]
    assert one["model"]["counts"] == two["model"]["counts"]
    assert (ray / "model" / "model.safetensors").is_file()
    curves = [pd.read_csv(folder / "metrics.csv") for folder in (local, ray)]
    assert len(curves[0])
    pd.testing.assert_frame_equal(*curves, check_exact=True)
