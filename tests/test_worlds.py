"""Whole worlds through the scripts: generated, prepared, trained on, backtested; with the cost."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.speed.preparing import anonymous_bytes

ROOT = Path(__file__).parents[1]
LIMIT = 4 * 2**30


def measured(folder: Path, script: str, *overrides: str) -> tuple[float, int]:
    """Seconds of a script and the most anonymous memory that it held."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "scripts" / f"{script}.py"), *overrides]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_bytes(process.pid))
            time.sleep(0.02)
    assert process.returncode == 0
    return time.perf_counter() - started, peak


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "days", "cutoff", "steps"),
    [("national", 730, "2024-11-01", 1000), ("internet", 365, "2023-12-01", 100)],
)
def test_a_world_is_prepared_trained_on_and_backtested(tmp_path, preset, days, cutoff, steps):
    world, store = tmp_path / "world", tmp_path / "store"
    data = ["data=midmile_store", f"data.path={world}/lanes", f"data.store={store}"]
    told = {
        "generate": measured(
            tmp_path, "generate", f"preset={preset}", f"+world.days={days}", f"out={world}"
        ),
        "prepare": measured(tmp_path, "prepare", *data),
        "backtest": measured(
            tmp_path, "backtest", *data, "model=nhits", "optim=adamw_fused",
            f"optim.max_steps={steps}", "optim.val_steps=14", "trainer.progress=false",
            f"protocol.first_cutoff={cutoff}", "protocol.count=1", "tracking=none",
        ),
    }  # fmt: skip
    record = json.loads(next(tmp_path.rglob("record.json")).read_text())
    lanes = record["counts"]["num_windows"]
    print(f"{preset}: {lanes} lanes x {days} days, {steps} steps, wape {record['scores']['wape']}")
    for name, (seconds, peak) in told.items():
        print(f"  {name}: {seconds:.0f} s, at most {peak / 2**30:.2f} GiB of anonymous memory")
    assert lanes == {"national": 50_000, "internet": 1_000_000}[preset]
    assert record["scores"]["wape"] < 0.5
    assert max(peak for _, peak in told.values()) <= LIMIT
