"""What each column means and when its values become known.

One rule decides every cell: the value of step ``t`` is visible at cutoff ``c`` iff
``t + delay <= c`` (target and observed columns) or ``t - lead <= c`` (known_future columns; no
lead means always).  Delays and leads are declared as ISO durations and become whole steps of the
panel's frequency: delays rounded up, leads down, so that rounding never shows a value early.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pandas as pd

from lanecast.errors import Faults, SchemaError

ID, TIME, TARGET = "unique_id", "ds", "y"
DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)


# Metadata of a field that came after 2026-11-29: where it is not set, no fingerprint shows it.
ADDED = {"added": True}


class Role(StrEnum):
    """How a column may be used."""

    TARGET = "target"
    OBSERVED = "observed"
    KNOWN_FUTURE = "known_future"
    STATIC = "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One declared column.

    ``scale="target"`` says that the column is in the target's unit, so that it is scaled with the
    target's own location and scale (a schedule beside the flights flown).  ``manipulable`` marks
    what a planner can set, ``integer`` a count: forecasts of it are whole numbers.  ``absent``:
    its value on a step without a row, where the schema says ``absent: zero``; it is what a future
    row would hold on such a day.
    """

    role: Role
    delay: str | None = None
    lead: str | None = None
    manipulable: bool = False
    non_negative: bool = False
    integer: bool = False
    scale: str = "own"
    absent: float | None = field(default=None, metadata=ADDED)

    def __post_init__(self) -> None:
        """Refuse combinations that have no meaning."""
        if self.role not in list(Role):
            raise SchemaError(f"role={self.role!r} is not one of {', '.join(Role)}")
        object.__setattr__(self, "role", Role(self.role))
        if self.lead is not None and self.role is not Role.KNOWN_FUTURE:
            raise SchemaError(f"lead={self.lead!r} needs role known_future, not {self.role}")
        if self.delay is not None and self.role not in (Role.TARGET, Role.OBSERVED):
            raise SchemaError(
                f"delay={self.delay!r} needs role observed or target, not {self.role}"
            )
        if self.scale not in ("own", "target", "none"):
            raise SchemaError(f"scale={self.scale!r} is not one of own, target, none")
        if self.absent is not None:
            self._check_fill(self.absent)

    def _check_fill(self, fill: object) -> None:
        if self.role not in (Role.OBSERVED, Role.KNOWN_FUTURE):
            raise SchemaError(f"absent={fill!r} needs role observed or known_future")
        if not isinstance(fill, int | float) or not math.isfinite(fill):
            raise SchemaError(f"absent={fill!r} is not a number")
        if self.non_negative and fill < 0:
            raise SchemaError(f"absent={fill!r} is negative, but the column is non_negative")
        if self.integer and fill != int(fill):
            raise SchemaError(f"absent={fill!r} is no whole number, but the column is integer")
        object.__setattr__(self, "absent", float(fill))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Columns and frequency; ``absent`` says what a missing row means: missing or zero.

    ``until``: the last time up to which rows have arrived, so that a missing one is a zero; by
    default the last row of the table, less the delay of the target.  ``closed`` names a column with
    the date from which a series is closed, ``closed_known`` one with the date on which that was
    known (by default the date itself).  ``closes_after``: an ISO duration without a target that is
    not 0, after which a series is closed.
    """

    freq: str
    columns: Mapping[str, Column]
    absent: str = "missing"
    until: str | None = field(default=None, metadata=ADDED)
    closed: str | None = field(default=None, metadata=ADDED)
    closed_known: str | None = field(default=None, metadata=ADDED)
    closes_after: str | None = field(default=None, metadata=ADDED)

    def __post_init__(self) -> None:
        """Check the declaration as a whole, before any data is read."""
        step_length(self.freq)
        if self.absent not in ("missing", "zero"):
            raise SchemaError(f"absent={self.absent!r} is not one of missing, zero")
        targets = [name for name, column in self.columns.items() if column.role is Role.TARGET]
        if targets != [TARGET]:
            declared = self.columns.get(TARGET)
            declaration = f"role {declared.role}" if declared else "no declaration"
            raise SchemaError(
                f"exactly one column, {TARGET!r}, must have role target; found"
                f" {targets or 'none'} and {declaration} for {TARGET!r}; rename your column to"
                f" {TARGET!r} (source.rename) and declare it target"
            )
        for reserved in (ID, TIME):
            if reserved in self.columns:
                raise SchemaError(
                    f"{reserved!r} is the index of the table and must not be declared as a column"
                )
        for name in (*self.past, *self.known):
            self.delay_steps(name)
            self.lead_steps(name)
        self._check_absence()

    def _check_absence(self) -> None:
        """Refuse what needs ``absent: zero``, and closing dates that a model could read."""
        fills = [f"columns.{name}.absent" for name, column in self.columns.items()
                 if column.absent is not None]  # fmt: skip
        for key in (*fills, *(["until"] if self.until is not None else [])):
            if self.absent != "zero":
                raise SchemaError(
                    f"data.schema.{key} needs data.schema.absent=zero: without it, a missing row is"
                    " unknown"
                )
        if self.closed_known is not None and self.closed is None:
            raise SchemaError(
                f"data.schema.closed_known={self.closed_known} needs data.schema.closed, the column"
                " with the closing dates"
            )
        for name in self.closing:
            if name in self.columns:
                raise SchemaError(
                    f"column {name!r} holds closing dates (data.schema.closed), which no model may"
                    " read; remove it from data.schema.columns"
                )
        if self.closes_after is not None and self.closing_steps < 1:
            raise SchemaError(f"data.schema.closes_after={self.closes_after} is no time at all")

    @classmethod
    def from_config(cls, config: Mapping[str, Any], faults: Faults | None = None) -> Schema:
        """Build a schema from plain mappings; SchemaError names the column that is wrong.

        Where faults are kept, such a column is one that nothing is known of.
        """
        faults = faults or Faults()
        columns = {}
        for name, options in config["columns"].items():
            try:
                columns[str(name)] = Column(**dict(options))
            except (TypeError, ValueError) as err:
                faults.add(SchemaError(f"column {name!r}: {err}"))
                role = Role.TARGET if name == TARGET else Role.OBSERVED
                columns[str(name)] = Column(role=role)
        later = ("until", "closed", "closed_known", "closes_after")
        said = {key: str(config[key]) for key in later if config.get(key) is not None}
        absent = config.get("absent", "missing")
        return cls(freq=config["freq"], columns=columns, absent=absent, **said)

    def identity(self) -> str:
        """What a panel's fingerprint hashes of it: no field that came later and is not set."""
        columns = ", ".join(f"{name!r}: {_identity(own)}" for name, own in self.columns.items())
        return _identity(self, columns=f"{{{columns}}}")

    def _named(self, role: Role) -> tuple[str, ...]:
        return tuple(name for name, column in self.columns.items() if column.role is role)

    @property
    def observed(self) -> tuple[str, ...]:
        """Columns known only once their period is over (plus their delay)."""
        return self._named(Role.OBSERVED)

    @property
    def known(self) -> tuple[str, ...]:
        """Columns whose future is known at the cutoff, up to their lead."""
        return self._named(Role.KNOWN_FUTURE)

    @property
    def static(self) -> tuple[str, ...]:
        """Columns that describe a series and never change."""
        return self._named(Role.STATIC)

    @property
    def past(self) -> tuple[str, ...]:
        """The target first, then the observed columns: the ``P`` axis of a window."""
        return (TARGET, *self.observed)

    @property
    def stored(self) -> tuple[str, ...]:
        """Columns of the panel's store, in order: target, observed, known_future."""
        return (*self.past, *self.known)

    def delay_steps(self, name: str) -> int:
        """Steps after its own period closes until a value is visible, rounded up."""
        duration = self.columns[name].delay
        return 0 if duration is None else math.ceil(self._steps(name, "delay", duration))

    def lead_steps(self, name: str) -> int | None:
        """Steps ahead of the cutoff that a value is visible, rounded down; None means all."""
        duration = self.columns[name].lead
        return None if duration is None else math.floor(self._steps(name, "lead", duration))

    @property
    def closing(self) -> tuple[str, ...]:
        """Columns with the dates of closings: one value for each series, read by no model."""
        return tuple(name for name in (self.closed, self.closed_known) if name is not None)

    @property
    def closing_steps(self) -> int:
        """Steps without a target that is not 0 after which a series is closed; 0: it never is."""
        if self.closes_after is None:
            return 0
        return math.ceil(_steps(self.closes_after, self.freq, "data.schema.closes_after"))

    def last_visible(self, name: str) -> float:
        """Newest visible step of a column relative to the cutoff; infinite without a lead."""
        if self.columns[name].role is Role.KNOWN_FUTURE:
            lead = self.lead_steps(name)
            return math.inf if lead is None else lead
        return -self.delay_steps(name)

    def _steps(self, name: str, kind: str, duration: str) -> float:
        return _steps(duration, self.freq, f"column {name!r}: {kind}")


def _steps(duration: str, freq: str, place: str) -> float:
    # Not pd.Timedelta(duration): it takes 2 for 2 ns and P1M, a month, for a minute.
    if (match := DURATION.fullmatch(str(duration))) is None:
        raise SchemaError(
            f"{place}={duration!r} is not an ISO duration of weeks, days or less; write P2D for two"
            " days, PT3H for three hours"
        )
    parts = {unit: int(count) for unit, count in match.groupdict(default="0").items()}
    return pd.Timedelta(timedelta(**parts)) / step_length(freq)


def _identity(declared: Column | Schema, **shown: str) -> str:
    """Like ``repr``, without fields that are `ADDED` and unset."""
    texts = (
        f"{field.name}={shown.get(field.name, repr(getattr(declared, field.name)))}"
        for field in fields(declared)
        if not field.metadata.get("added") or getattr(declared, field.name) != field.default
    )
    return f"{type(declared).__name__}({', '.join(texts)})"


def step_length(freq: str) -> pd.Timedelta:
    """Length of one step of a pandas alias such as D, h, 15min, W-SUN; SchemaError if it varies."""
    if not isinstance(freq, str):
        raise SchemaError(
            f"freq={'null' if freq is None else freq} is no positive frequency; write a pandas"
            " alias with its unit: D, h, 15min, 24h or W-SUN"
        )
    try:
        offset = pd.tseries.frequencies.to_offset(freq)
    except ValueError as err:
        near = re.search(r"Did you mean (\w+)\?", str(err))
        hint = f"did you mean {near.group(1)}?" if near else "use D, h, 15min or W-SUN"
        raise SchemaError(f"freq={freq!r} is not a pandas frequency alias; {hint}") from err
    if offset.n <= 0:
        raise SchemaError(
            f"freq={freq!r} is no positive frequency: a step leads forward; use D, h, 15min or"
            " W-SUN"
        )
    if isinstance(offset, pd.offsets.Week):
        return pd.Timedelta(days=7 * offset.n)
    try:
        return pd.Timedelta(offset)  # type: ignore[arg-type]
    except ValueError as err:
        raise SchemaError(
            f"freq={freq!r} has steps of unequal length, which no panel holds; sum the table up to"
            " D, h, 15min or W-SUN (a month has no one length)"
        ) from err
