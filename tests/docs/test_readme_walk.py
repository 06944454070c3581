"""The README's commands, typed in a reader's folder, lead from a table to a forecast."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from document_blocks import ROOT, blocks_of, command_lines

FEW_STEPS = {"train": ["trainer=smoke"]}  # of training; all else is as the page has it


def test_readme_leads_from_a_table_to_a_forecast(reader: Path, tmp_path: Path) -> None:
    shutil.copytree(reader, tmp_path, dirs_exist_ok=True)
    shell = [block.text for block in blocks_of(ROOT / "README.md") if block.language == "bash"]
    (text,) = (text for text in shell if "lanecast train" in text)
    for line in text.splitlines():
        trained = [path.parent.name for path in tmp_path.glob("runs/mine/*/seed1")]
        line = line.replace("<run>", trained[0]) if "<run>" in line else line
        ((_, verb, *rest),) = command_lines(line)
        words = [verb, *rest, *FEW_STEPS.get(verb, [])]
        process = subprocess.run(
            [sys.executable, "-m", "lanecast", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert process.returncode == 0, process.stderr
    (forecasts,) = tmp_path.glob("runs/*/*/seed1/forecasts.csv")
    assert "ATL>BOS" in forecasts.read_text()
