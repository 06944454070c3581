"""Equation 12, the data plane: what happens to a table between the network and its reader.

Every fault is a switch, and what was done is a table of labels: ``kind, unique_id, ds, detail``.
Publication delays are declared by the schema (``conf/data/midmile.yaml``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lanecast.errors import ConfigError
from lanecast.twin.noise import Shock, Stream

LABELS = ("kind", "unique_id", "ds", "detail")
RENAMED = "~2"  # what a renamed series adds to its name
FIRST, FINAL = pd.Timedelta(days=1), pd.Timedelta(days=3)  # delays of a value and of its revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Shares of faults: ``missing`` and ``duplicates`` of rows, ``renames`` of series.

    ``revisions`` is the share of rows whose first published ``y`` is preliminary.
    """

    missing: float = 0.0
    duplicates: float = 0.0
    renames: float = 0.0
    revisions: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for name in self.__slots__:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"midmile: {name}={getattr(self, name)} must lie in 0..1")


def degraded(frame: pd.DataFrame, plane: Plane, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table as a reader meets it, and the labels of what was done to it.

    Rows are in series and time order before; duplicates stand at the end.
    """
    frame, labels = frame.copy(), [pd.DataFrame(columns=list(LABELS))]
    if plane.missing:
        rows = _chosen(len(frame), plane.missing, seed, 1) & frame["y"].notna().to_numpy()
        labels.append(_labels("missing", frame[rows], frame.loc[rows, "y"]))
        frame.loc[rows, "y"] = np.nan
    if plane.renames:
        frame, renamed = _renamed(frame, plane.renames, seed)
        labels.append(renamed)
    if plane.duplicates:
        rows = _chosen(len(frame), plane.duplicates, seed, 2)
        labels.append(_labels("duplicate", frame[rows], frame.loc[rows, "y"]))
        frame = pd.concat([frame, frame[rows]], ignore_index=True)
    return frame, pd.concat([each for each in labels if len(each)] or labels, ignore_index=True)


def vintages(frame: pd.DataFrame, plane: Plane, seed: int) -> pd.DataFrame:
    """``unique_id, ds, known_time, y``: each publication of a value; ``y`` of the table is final.

    A value is out a day after its period; a preliminary one misses up to a fifth of the orders
    and is revised two days later.
    """
    kept = frame.loc[frame["y"].notna(), ["unique_id", "ds", "y"]]
    late = _chosen(len(kept), plane.revisions, seed, 4)
    missed = Stream(seed).at(Shock.PLANE, day=5).random(len(kept)) * 0.2
    first = kept.assign(known_time=kept["ds"] + FIRST)
    first["y"] = np.where(late, np.floor(kept["y"] * (1 - missed)), kept["y"])
    second = kept[late].assign(known_time=kept.loc[late, "ds"] + FINAL)
    table = pd.concat([first, second]).sort_values(["unique_id", "ds", "known_time"])
    return table[["unique_id", "ds", "known_time", "y"]].reset_index(drop=True)


def revision_labels(published: pd.DataFrame) -> pd.DataFrame:
    """Labels of the preliminary values among ``vintages``; the detail is that value."""
    early = published[published.duplicated(["unique_id", "ds"], keep="last")]
    return _labels("revision", early, early["y"])


def original(unique_id: str) -> str:
    """The name of a series before it was renamed."""
    return unique_id.removesuffix(RENAMED)


def _renamed(frame: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """From a day of the middle half on, a renamed series goes by its new name."""
    names, days = frame["unique_id"].unique(), np.sort(frame["ds"].unique())
    chosen = names[_chosen(len(names), share, seed, 3)]
    rng = Stream(seed).at(Shock.PLANE, day=6)
    since = days[rng.integers(len(days) // 4, max(3 * len(days) // 4, 1), len(chosen))]
    of = frame["unique_id"].map(dict(zip(chosen, since, strict=True)))
    rows = (of.notna() & (frame["ds"] >= of)).to_numpy()
    fresh = frame["unique_id"].where(~rows, frame["unique_id"] + RENAMED)
    labels = pd.DataFrame(
        {
            "kind": "rename",
            "unique_id": chosen,
            "ds": since,
            "detail": [n + RENAMED for n in chosen],
        }
    )
    return frame.assign(unique_id=fresh), labels


def _chosen(count: int, share: float, seed: int, key: int) -> np.ndarray:
    return np.asarray(Stream(seed).at(Shock.PLANE, day=key).random(count) < share)


def _labels(kind: str, rows: pd.DataFrame, detail: pd.Series) -> pd.DataFrame:
    table = rows[["unique_id", "ds"]].assign(kind=kind, detail=detail.astype(str))
    return table[list(LABELS)]
