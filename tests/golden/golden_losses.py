"""Ten training losses at a fixed seed: what the golden files hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from lanecast.data.panel import Panel
from small_models import Notes, small

FOLDER = Path(__file__).parent
GOLDEN = ("linear", "nhits", "tft")


def losses_of(network: str, panel: Panel) -> list[float]:
    """Training loss of each of ten steps, on one thread."""
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        notes = Notes(Path(folder))
        model = small(network, max_steps=10, val_every=1, val_steps=0)
        model.fit(panel, until=100, reporter=notes)
    torch.set_num_threads(threads)
    return notes.curve("train/loss")
