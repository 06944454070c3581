"""Start-up: a script's whole process until it has told its help, or that a config is wrong."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lanecast.config import packaged_conf

COMMANDS = {
    "--help": ["backtest.py", "--help"],
    "config error": ["backtest.py", "model=no_such_model"],
}
_BARE = """
import sys
from hydra import compose, initialize_config_dir
with initialize_config_dir(sys.argv[1], version_base="1.3"):
    compose("backtest", overrides=["paths.output=."])
"""


def ours(command: str) -> Callable[[], float]:
    """Seconds of one of `COMMANDS`."""
    script, *arguments = COMMANDS[command]
    return _seconds([str(_scripts() / script), *arguments])


def floor() -> Callable[[], float]:
    """Seconds in which Hydra alone composes the same config."""
    return _seconds(["-c", _BARE, str(packaged_conf())])


def neuralforecast() -> Callable[[], float]:
    """Seconds in which neuralforecast is imported, before anything is said."""
    return _seconds(["-c", "import neuralforecast"])


def _scripts() -> Path:
    return packaged_conf().parent / "scripts"


def _seconds(arguments: Sequence[str]) -> Callable[[], float]:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        return time.perf_counter() - started

    return seconds
