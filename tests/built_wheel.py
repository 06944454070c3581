"""The wheel of this tree, built by way of its source distribution, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What a clean checkout holds of what a build reads.
READ = ("src", "conf", "LICENSE", "MANIFEST.in", "README.md", "constraints.txt")
READ += ("pyproject.toml", "setup.py")
OF_BUILDS = shutil.ignore_patterns("__pycache__", "*.egg-info")


def built(hook: str, source: Path, out: Path) -> Path:
    """What a build hook of setuptools leaves in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    code = f"from setuptools import build_meta; print(build_meta.{hook}({str(out)!r}))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return out / answer.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution of a copy, so that nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "checkout").mkdir()
    for name in READ:
        place = folder / "checkout" / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, ignore=OF_BUILDS)
        else:
            shutil.copy(ROOT / name, place)
    sources = built("build_sdist", folder / "checkout", folder)
    with tarfile.open(sources) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return built("build_wheel", unpacked, folder)
