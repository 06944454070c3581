"""The verb *prepare*: a folder of Parquet parts becomes a store that is opened as a memory map."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.sources import SourceTable


def run(cfg: DictConfig) -> float:
    """Write the store of ``cfg.data``; the result is its number of cells."""
    from lanecast.data.ingest.store import write_store
    from lanecast.data.schema import Schema

    store = cfg.data.get("store")
    if store is None:
        raise ConfigError("this data group has no store; set +data.store=<folder> to write to")
    schema, started = Schema.from_config(cfg.data.schema), time.perf_counter()
    cells = write_store(Path(str(store)), _parts(cfg.data), schema)
    seconds = time.perf_counter() - started
    print(f"{store}: {cells:,} cells x {len(schema.stored)} columns in {seconds:.1f} s")
    return float(cells)


def _parts(data: Mapping[str, Any]) -> Iterator[tuple[str, SourceTable]]:
    """Each file of ``data.path`` in order, read when its turn comes."""
    from rich.progress import track

    from lanecast.config import instantiate
    from lanecast.data.ingest.loading import refuse_with_store
    from lanecast.sources.tables import existing

    path = existing(str(data["path"]))
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"{path} holds no *.parquet file; set data.path to a folder of parts")
    refuse_with_store(data)
    for file in track(files, description="parts", transient=True):
        yield str(file), instantiate(data["source"], path=str(file)).load()
