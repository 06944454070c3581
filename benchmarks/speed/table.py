"""The benchmark's table: rows added up over runs, as CSV and Markdown, and the machine's facts."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import torch

KEY = ["case", "covariates", "network", "windows", "precision", "figure"]
Row = dict[str, Any]


def merged(path: Path, rows: Sequence[Row]) -> pd.DataFrame:
    """The table with these rows in the place of older ones of the same key."""
    import pandas as pd

    new = pd.DataFrame(rows).astype(dict.fromkeys(KEY, str))
    if not path.is_file():
        return new
    old = pd.read_csv(path, dtype=dict.fromkeys(KEY, str), keep_default_na=False, na_values=["nan"])
    both = pd.concat([old, new], ignore_index=True)
    return both.drop_duplicates(KEY, keep="last").reset_index(drop=True)


def markdown(table: pd.DataFrame, rows: Sequence[Row] = ()) -> str:
    """The table as Markdown; without ``rows`` with its head."""
    names = list(table.columns)
    shown = rows or table.to_dict("records")
    lines = [] if rows else ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in shown:
        cells = (f"{row[name]:.4g}" if isinstance(row[name], float) else str(row[name])
                 for name in names)  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes in bf16; elsewhere torch emulates it, slower than fp32."""
    if device.type == "cuda":
        import torch

        return torch.cuda.is_bf16_supported(including_emulation=False)
    path = Path("/proc/cpuinfo")
    flags = path.read_text() if path.is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def machine_facts(device: torch.device) -> str:
    """The processor, its cores and threads, a GPU's name and the versions, in one line."""
    from importlib.metadata import version

    import torch

    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "?")
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "neuralforecast", "numpy"))
    card = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    return (
        f"{name} ({platform.machine()}), {os.cpu_count()} cores, {torch.get_num_threads()} threads"
        f"{card}, bf16 {'yes' if has_bf16(device) else 'no (its rows are left out)'}; {packages}"
    )
