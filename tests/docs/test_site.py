"""The site builds from a bare copy of docs/, without a network and without a warning."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from document_blocks import ROOT

import lanecast

# Whoever asks for a host gets an error, which fails the build.
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")


def test_site_builds_offline_without_a_warning(tmp_path: Path) -> None:
    """Notebooks are rendered and not run here: `test_notebooks` runs them."""
    source, site = tmp_path / "docs", tmp_path / "site"
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("gallery"))
    command = ["sphinx", "-W", "--keep-going", "-q", "-D", "plot_gallery=0", str(source), str(site)]
    build = subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, **OFFLINE},
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr
    pages = {page.name: page.read_text() for page in site.rglob("*.html")}
    fetched = r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//|<link[^>]+stylesheet[^>]+//"
    assert not [name for name, text in pages.items() if re.search(fetched, text)]


def test_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "reference.md").read_text()
    named = set(re.findall(r"^\.\. auto\w+:: lanecast\.(\w+)(?:\(\))?$", page, re.MULTILINE))
    assert named == set(lanecast.__all__) - {"__version__"}
