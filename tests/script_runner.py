"""Runs the project's scripts in this process, as the command line would."""

from __future__ import annotations

import logging
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hydra.core.hydra_config import HydraConfig

ROOT = Path(__file__).parents[1]
Script = Callable[..., int]


@contextmanager
def scripts_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    """In ``folder``: ``run("train", "model=linear")`` gives the script's exit code."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    threads = torch.get_num_threads()
    handlers = logging.getLogger().handlers[:]
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(verb: str, *argv: str) -> int:
        script = ROOT / "scripts" / f"{verb}.py"
        if not script.is_file():
            script = ROOT / "benchmarks" / verb / "__main__.py"
        monkeypatch.setattr(sys, "argv", [str(script), *argv])
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            HydraConfig.instance().cfg = None
            logging.getLogger().handlers[:] = handlers
            for number, handler in signals.items():
                signal.signal(number, handler)
        return 0

    yield run
    torch.set_num_threads(threads)
