"""Preparation: time, and memory over the raw array, until the first training steps are done.

Each is measured in a process of its own; memory is its anonymous memory (RssAnon) at the peak, less
what it held when its imports and, where it needs one, its DataFrame were there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.cases import SpeedCase
from benchmarks.speed.rounds import Figure

PART = 1000  # series of a Parquet part
STEPS = 10


def prepare_rows(cases: Sequence[SpeedCase], rounds: int) -> Iterator[dict[str, Any]]:
    """Seconds and GiB for each case: ours through a store, neuralforecast's data set from a frame.

    The floor of the seconds is reading the parts, that of the memory the raw array.
    """
    import statistics

    for case in cases:
        with tempfile.TemporaryDirectory() as scratch:
            raw = write_parts(case, Path(scratch) / "parts")
            measured: dict[str, list[dict[str, float]]] = {how: [] for how in HOW}
            for _ in range(max(1, rounds // 2)):
                for how in HOW:
                    measured[how].append(_measured(how, case, scratch))
        key = {
            "case": case.size,
            "covariates": "4+4+2" if case.covariates else "none",
            "windows": "",
            "precision": "fp32",
            "figure": "prepare",
        }
        for quantity in ("seconds", "bytes"):
            middle = {
                how: statistics.median(values[quantity] for values in measured[how]) for how in HOW
            }
            floor = middle["read"] if quantity == "seconds" else raw
            unit = 1.0 if quantity == "seconds" else 2.0**30
            for name, how in (("store", "store"), ("in memory", "frame")):
                medians = Figure(
                    ours=middle[how] / unit,
                    neuralforecast=middle["neuralforecast"] / unit,
                    floor=floor / unit,
                    ratio_to_floor=middle[how] / floor,
                    neuralforecast_to_ours=middle["neuralforecast"] / middle[how],
                    rounds=len(measured[how]),
                    discarded=0,
                )
                label = f"{name}: {'seconds' if quantity == 'seconds' else 'GiB'}"
                yield {
                    **key,
                    "network": label,
                    **{f: getattr(medians, f) for f in medians.__slots__},
                }


def write_parts(case: SpeedCase, folder: Path) -> int:
    """The panel of a case as Parquet parts of whole series; the bytes of its raw array."""
    import numpy as np

    from benchmarks.speed.incumbent import frame_of

    panel = case.panel()
    folder.mkdir(parents=True)
    for first in range(0, case.series, PART):
        part = panel.select(np.arange(first, min(first + PART, case.series)))
        frame_of(part)[0].to_parquet(folder / f"part-{first:06d}.parquet", index=False)
    return panel.values.numel() * panel.values.element_size()


def _measured(how: str, case: SpeedCase, scratch: str) -> dict[str, float]:
    text = f"{case.size}{'+' if case.covariates else ''}"
    command = [sys.executable, "-W", "ignore", "-m", __name__, how, text, scratch]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    values: dict[str, float] = json.loads(finished.stdout.splitlines()[-1])
    return values


class Peak:
    """The highest anonymous memory of this process while it lasts, over what it was before."""

    def __enter__(self) -> Peak:
        self._before, self._highest, self._on = anonymous_bytes(), 0, True
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._on = False
        self._watch.join()

    @property
    def extra(self) -> int:
        """Bytes at the peak over those at the start."""
        return max(self._highest - self._before, 0)

    def _look(self) -> None:
        while self._on:
            self._highest = max(self._highest, anonymous_bytes())
            time.sleep(0.002)


def anonymous_bytes(process: int | str = "self") -> int:
    """RssAnon of a process, by number: memory that no file backs; 0 for a zombie."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    return 0


def _read(_: SpeedCase, scratch: Path) -> tuple[Callable[[], object], bool]:
    import pandas as pd

    def work() -> object:
        for path in sorted((scratch / "parts").glob("*.parquet")):
            pd.read_parquet(path)
        return None

    return work, False


def _store(case: SpeedCase, scratch: Path) -> tuple[Callable[[], object], bool]:
    import shutil

    from lanecast.data.ingest.store import open_store, write_store
    from lanecast.sources.tables import ParquetTable

    schema, store = _schema(case), scratch / "store"
    shutil.rmtree(store, ignore_errors=True)

    def work() -> object:
        files = sorted((scratch / "parts").glob("*.parquet"))
        parts = ((str(path), ParquetTable(path=str(path)).load()) for path in files)
        write_store(store, parts, schema)
        return _trained(open_store(store, schema))

    return work, False


def _frame(case: SpeedCase, scratch: Path) -> tuple[Callable[[], object], bool]:
    from lanecast.data.ingest.layout import panel_from_table
    from lanecast.sources import SourceTable
    from lanecast.sources.tables import ParquetTable

    table = ParquetTable(path=str(scratch / "parts")).load()
    schema = _schema(case)

    def work() -> object:
        return _trained(panel_from_table(SourceTable(frame=table.frame), schema))

    return work, True


def _neuralforecast(_: SpeedCase, scratch: Path) -> tuple[Callable[[], object], bool]:
    import pandas as pd
    from neuralforecast.tsdataset import TimeSeriesDataset

    frame = pd.read_parquet(scratch / "parts")
    return lambda: TimeSeriesDataset.from_df(frame), True


HOW = {"read": _read, "store": _store, "frame": _frame, "neuralforecast": _neuralforecast}


def _schema(case: SpeedCase) -> Any:
    from dataclasses import replace

    from lanecast.data.schema import Role

    schema = SpeedCase(series=1, steps=1, covariates=case.covariates).panel().schema
    columns = {k: v for k, v in schema.columns.items() if v.role is not Role.STATIC}
    return replace(schema, columns=columns)


def _trained(panel: Any) -> object:
    """A few steps of a small network: what training holds beside the panel."""
    from functools import partial

    import torch

    from lanecast.data.scaling import Scaler
    from lanecast.data.windows import WindowSpec
    from lanecast.models.deep.forecaster import DeepForecaster
    from lanecast.models.deep.losses import MultiQuantile
    from lanecast.models.deep.networks.base import Linear
    from lanecast.models.deep.optimization import Hardware, Optimization

    optimizer = partial(torch.optim.AdamW, lr=1e-3)
    return DeepForecaster(
        name="linear",
        network=Linear,
        loss=MultiQuantile(levels=[0.1, 0.5, 0.9]),
        scaler=Scaler,
        windows=WindowSpec(context=56, horizon=14, min_context=14),
        optim=Optimization(optimizer=optimizer, max_steps=STEPS, batch_size=512, val_steps=0),
        hardware=Hardware(progress=False),
        seed=1,
    ).fit(panel, until=panel.last_step)


def _warm_up() -> None:
    """Imports and pools of every way: a tiny panel is written, read, stored and trained on."""
    tiny = SpeedCase(series=4, steps=200, covariates=False)
    with tempfile.TemporaryDirectory() as scratch:
        write_parts(tiny, Path(scratch) / "parts")
        for prepare in (_store, _frame):
            prepare(tiny, Path(scratch))[0]()


def main(how: str, case: str, scratch: str) -> None:
    """Measure one way in this process and print it as JSON."""
    import gc

    import pyarrow as pa

    _warm_up()
    work, _ = HOW[how](SpeedCase.of(case), Path(scratch))
    gc.collect()
    pa.default_memory_pool().release_unused()  # or reading the frame would leave room for the work
    started = time.perf_counter()
    with Peak() as peak:
        held = work()
    seconds = time.perf_counter() - started
    del held  # it was to stay until the peak was read
    print(json.dumps({"seconds": seconds, "bytes": peak.extra}))


if __name__ == "__main__":
    main(*sys.argv[1:])
