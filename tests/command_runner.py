"""The installed command in this process: ``run("train", "model=linear")`` gives its exit code."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable

import pytest
from hydra.core.hydra_config import HydraConfig

from lanecast.cli import main

Command = Callable[..., int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.delenv("LANECAST_TRUST", raising=False)

    def run(*words: str) -> int:
        handlers = logging.getLogger().handlers[:]
        interrupt = signal.getsignal(signal.SIGINT)
        monkeypatch.setattr(sys, "argv", ["lanecast", *words])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            HydraConfig.instance().cfg = None
            signal.signal(signal.SIGINT, interrupt)
            logging.getLogger().handlers[:] = handlers
        return 0

    return run
