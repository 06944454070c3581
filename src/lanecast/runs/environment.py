"""Where a run happened: code, packages, processor."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "lanecast",
    "torch",
    "lightning",
    "neuralforecast",
    "statsforecast",
    "mlforecast",
    "lightgbm",
    "hydra-core",
    "omegaconf",
    "wandb",
    "numpy",
    "pandas",
    "pyarrow",
)


def git_state() -> dict[str, Any]:
    """Return the commit of lanecast's own checkout, and whether files differ from it."""
    home = Path(__file__).resolve().parent
    sha = _git(home, "rev-parse", "HEAD")
    changes = _git(home, "status", "--porcelain") if sha else None
    return {"sha": sha, "dirty": None if changes is None else bool(changes)}


def _git(home: Path, *command: str) -> str | None:
    try:
        process = subprocess.run(
            ["git", "-C", str(home), *command], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout.strip() if process.returncode == 0 else None


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a number."""
    versions_of = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions_of[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions_of


def device() -> dict[str, Any]:
    """Return the processor and, if torch was loaded, its threads and the accelerator."""
    facts: dict[str, Any] = {"machine": platform.machine(), "cores": os.cpu_count()}
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["threads"] = torch.get_num_threads()
        cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
        facts["accelerator"] = torch.cuda.get_device_name() if cuda else "cpu"
    return facts
