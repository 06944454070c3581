"""Cutoffs that a user asked for: a date becomes a step of the panel, or an error that leads out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.errors import ConfigError

FIRST = "protocol.first_cutoff"


def cutoff_step(panel: Panel, time: Any, *, key: str, horizon: int | None = None) -> int:
    """The step of a cutoff given as ``key``; ConfigError names the key and what it may be.

    With ``horizon``, every step of the window must have its target.  Without, the cutoff may lie
    as far ahead as rows do, or as the target's delay: what is late is then forecast as well.
    """
    first, last = int(panel.start.min()), panel.last_step
    if horizon is None:
        delay = panel.schema.delay_steps(TARGET)
        last = max(last + delay, int(panel.end.max()) - 1)
    else:
        last = complete_until(panel) - horizon
    step = _step_or_none(panel, moment_of(time, key=key))
    if step is not None and first <= step <= last:
        return step
    target = f"the table's last target is {_day(panel, panel.last_step)}"
    if last < first:
        raise ConfigError(
            f"{key}={time} leaves no window: {target}, its first row {_day(panel, first)}, and a"
            f" window needs {horizon} steps after its cutoff; lower windows.horizon, or supply more"
            " rows"
        )
    between = f"{_day(panel, first)} to {_day(panel, last)}, in steps of {panel.schema.freq}"
    after = "" if horizon is None else f" and a window needs {horizon} steps after its cutoff"
    raise ConfigError(f"{key}={time} is no cutoff of this table: {target}{after}; choose {between}")


def rolling_cutoffs(
    panel: Panel, *, first: Any, step: int, count: int | None, horizon: int
) -> list[int]:
    """``count`` cutoffs, ``step`` apart, from ``first`` on; ConfigError if they overrun.

    Without ``first`` they are the last ones: the last window ends with the last target.  Without
    ``count`` they are all that fit after ``first``.
    """
    last = complete_until(panel) - horizon
    if first is None:
        if count is None:
            raise ConfigError(
                "protocol.first_cutoff and protocol.count are both null, so nothing says where"
                " the test begins; set one of them"
            )
        begin, since = last - (count - 1) * step, _day(panel, int(panel.start.min()))
        room = (last - int(panel.start.min())) // step + 1
    else:
        begin, since = cutoff_step(panel, first, key=FIRST, horizon=horizon), str(first)
        room = (last - begin) // step + 1
        count = room if count is None else count
    if not 1 <= count <= room:
        raise ConfigError(
            f"protocol.count={count} windows, {step} steps apart, do not fit between {since} and"
            f" the last target, {_day(panel, last + horizon)}: with a horizon of {horizon} there"
            f" is room for {max(room, 0)}; set protocol.count, protocol.step or"
            " protocol.first_cutoff"
        )
    return [begin + number * step for number in range(count)]


def complete_until(panel: Panel) -> int:
    """Last step whose targets have all arrived: where a missing row is a zero, a late one is not.

    That is `Schema.until`, or the last step with a target less the delay of the target.
    """
    schema, last = panel.schema, panel.last_step
    if schema.absent != "zero":
        return last
    if schema.until is None:
        return last - schema.delay_steps(TARGET)
    until = moment_of(schema.until, key="data.schema.until").to_datetime64()
    return min(last, int(panel.times.searchsorted(until, side="right")) - 1)


def short_time(time: pd.Timestamp) -> str:
    """The date, with the time of the day where there is one."""
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M}"


def moment_of(time: Any, *, key: str) -> pd.Timestamp:
    """``time`` as a moment; a number is none, since it would mean nanoseconds after 1970."""
    try:
        moment = pd.NaT if isinstance(time, int | float) else pd.Timestamp(time)
    except (ValueError, TypeError):
        moment = pd.NaT
    if not isinstance(moment, pd.Timestamp):
        raise ConfigError(f"{key}={time} is no date; write it as 2024-06-18 or '2024-06-18 14:00'")
    return moment if moment.tz is None else moment.tz_convert(None)


def _step_or_none(panel: Panel, moment: pd.Timestamp) -> int | None:
    step = int(panel.times.searchsorted(moment.to_datetime64()))
    inside = step < len(panel.times) and panel.times[step] == moment.to_datetime64()
    return step if inside else None


def _day(panel: Panel, step: int) -> str:
    return short_time(panel.time_of(step))
