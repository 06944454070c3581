"""A tiny project with lanecast's own roots and a verb that trains nothing, run in this process."""

import json
import logging
import runpy
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hydra.core.hydra_config import HydraConfig

CONF = Path(__file__).parent.parent / "conf"

FILES = {
    "data/toy.yaml": "size: 10\nperiod: ${period}\n",
    "model/small.yaml": "name: small\nseed: ${seed}\nhardware: ${trainer}\nwidth: ${data.size}\n",
    "model/large.yaml": "name: large\nseed: ${seed}\nhardware: ${trainer}\ndepth: 3\n",
    "trainer/cpu.yaml": "accelerator: cpu\nthreads: 2\nprecision: 32\n",
    "trainer/gpu.yaml": "accelerator: gpu\nthreads: 8\nprecision: 32\n",
    "protocol/holdout.yaml": "kind: holdout\n",
    "protocol/rolling.yaml": "kind: rolling\nstep: 7\n",
}
ROOT = """\
# {verb} a toy.
defaults:
  [data: toy, model: small, trainer: cpu, protocol: {protocol}, tracking: none, common, _self_]
verb: {verb}
period: 7
job: well
"""
SCRIPT = '''\
"""A verb that trains nothing."""

import os
import signal
import time

from lanecast.cli import main


def run(cfg):
    from lanecast.errors import SchemaError
    from lanecast.runs.record import Objective, Run

    with Run.open(cfg) as run:
        run.log(0, **{{"val/wape": 0.5}})
        run.log(3, **{{"val/wape": 0.25, "val/bias": float("nan")}})
        if cfg.job == "wrong" or (cfg.job == "second" and cfg.seed == 2):
            raise SchemaError("'y' is missing; supply it")
        if cfg.job == "numexpr":
            from numexpr.utils import _init_num_threads

            os.environ.pop("OMP_NUM_THREADS", None)
            _init_num_threads()
        if cfg.job == "bug":
            raise ZeroDivisionError("a bug")
        if cfg.job == "sigterm":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        run.set_objective(Objective(name="val/wape", value=0.25, step=3))
    return 0.25


if __name__ == "__main__":
    main("{verb}", run)
'''


@dataclass(frozen=True)
class Toy:
    """The project's folder, and how to run its scripts."""

    folder: Path

    def __call__(self, *argv: str, verb: str = "train") -> int:
        """Run a script as the command line would; return its exit code."""
        script = self.folder / "scripts" / f"{verb}.py"
        before = sys.argv, signal.getsignal(signal.SIGINT), logging.getLogger().handlers[:]
        sys.argv = [str(script), *argv]
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            sys.argv = before[0]
            signal.signal(signal.SIGINT, before[1])
            logging.getLogger().handlers[:] = before[2]
            HydraConfig.instance().cfg = None
        return 0

    def records(self, name: str = "*") -> list[dict[str, Any]]:
        """Return every record under ``runs/<name>``, by path."""
        found = sorted((self.folder / "runs").glob(f"{name}/*/*/record.json"))
        return [json.loads(path.read_text()) | {"folder": path.parent} for path in found]


def build_toy(folder: Path) -> None:
    """Write the project: lanecast's common root and tracking, toy groups for the rest."""
    for part in ("hydra", "tracking"):
        shutil.copytree(CONF / part, folder / "conf" / part)
    shutil.copy(CONF / "common.yaml", folder / "conf")
    for name, text in FILES.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "scripts").mkdir()
    for verb, protocol in {"train": "holdout", "backtest": "rolling"}.items():
        root = ROOT.format(verb=verb, protocol=protocol)
        (folder / "conf" / f"{verb}.yaml").write_text(root)
        (folder / "scripts" / f"{verb}.py").write_text(SCRIPT.format(verb=verb))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    build_toy(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    return Toy(tmp_path)
