"""Calendar columns: what every date says about itself, known for all time.

Axes: ``T`` steps of the grid, ``F`` columns.  All values lie in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lanecast.data.schema import step_length
from lanecast.errors import ConfigError

REACH = 3  # periods before and after a special day that get a column of their own
DAY = pd.Timedelta(days=1)


def calendar_features(
    times_T: pd.DatetimeIndex,
    *,
    freq: str,
    features: Sequence[str],
    country: str | Sequence[str] | None = None,
    days: Mapping[str, Sequence[str]] | None = None,
    label: str | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Columns [T, F] float32 and their names, in the order of ``features``.

    ``label`` says which day of its week a weekly date is, ``first`` or ``last``; unset, Monday is
    the first, and another weekday the last, as pandas labels weekly sums.

    ``holiday`` marks public holidays of one or more countries (ISO codes); ``days`` adds groups of
    dates of one's own, ``{shopping: ["06-18", "2024-11-11"]}`` (a month and day recur every year).
    """
    days = days or {}
    for name in (*features, *days):
        if not isinstance(name, str):
            raise ConfigError(
                f"data.calendar holds {name!r}: YAML reads yes, no, on and off as true and false;"
                ' quote the name, such as "off"'
            )
    unknown = [name for name in features if name not in (*PLAIN, "holiday", *days)]
    if unknown:
        raise ConfigError(
            f"data.calendar.features: {unknown[0]!r} is none of"
            f" {', '.join([*PLAIN, 'holiday', *days])}; add its dates under data.calendar.days"
        )
    back = _days_back(freq, label)
    columns: dict[str, np.ndarray] = {}
    for name in [*features, *(group for group in days if group not in features)]:
        if name in PLAIN:
            columns |= PLAIN[name](times_T)
        else:
            dates = days[name] if name in days else public_holidays(times_T, country)
            columns |= _around(times_T - back, name=name, dates=dates, step=step_length(freq))
    if not columns:
        return np.zeros((len(times_T), 0), dtype=np.float32), ()
    return np.stack(list(columns.values()), axis=-1).astype(np.float32), tuple(columns)


def label_warnings(freq: str, options: Mapping[str, Any]) -> list[str]:
    """What special days take a weekly date for, where the config leaves it open."""
    special = options.get("days") or "holiday" in options["features"]
    if not special or options.get("label") or not _is_weekly(freq):
        return []
    taken, other = ("first", "last") if _days_back(freq, None) == 0 * DAY else ("last", "first")
    return [
        f"a date of {freq} is taken as the {taken} day of its week, in which holidays and"
        f" data.calendar.days are looked for; set data.calendar.label={other} if it is the {other},"
        f" or {taken} to confirm"
    ]


def _is_weekly(freq: str) -> bool:
    return isinstance(pd.tseries.frequencies.to_offset(freq), pd.offsets.Week)


def _days_back(freq: str, label: str | None) -> pd.Timedelta:
    """From the date of a period to its first day."""
    if label not in (None, "first", "last"):
        raise ConfigError(
            f"data.calendar.label={label!r} is not one of first, last: which day of its week a"
            " weekly date is"
        )
    offset = pd.tseries.frequencies.to_offset(freq)
    if not isinstance(offset, pd.offsets.Week):
        return 0 * DAY
    is_first = label == "first" if label is not None else offset.rule_code == "W-MON"
    return 0 * DAY if is_first else step_length(freq) - DAY


def public_holidays(times_T: pd.DatetimeIndex, country: str | Sequence[str] | None) -> list[str]:
    """Dates of the public holidays of the countries, observed days included."""
    import holidays

    codes = [country] if isinstance(country, (str, bool)) else list(country or ())
    if not codes:
        raise ConfigError(
            "data.calendar.features asks for holiday, but data.calendar.country names no country;"
            " set it to an ISO code such as US, or to a list of them"
        )
    for code in codes:
        if not isinstance(code, str):
            raise ConfigError(f"data.calendar.country holds {code!r}, {_unquoted(code)}")
    years = range(times_T[0].year - 1, times_T[-1].year + 2)
    dates: list[str] = []
    for code in codes:
        try:
            days = holidays.country_holidays(code, years=years)
        except NotImplementedError as err:
            raise ConfigError(
                f"data.calendar.country={code!r} is not known to the holidays library;"
                f" {_near_codes(code)}"
            ) from err
        dates += [date.isoformat() for date in days]
    return dates


def _unquoted(code: object) -> str:
    """What a code that YAML took for something else needs."""
    if code is False:
        return 'which is how YAML reads NO: quote it: "NO"'
    return 'which is no text: quote the ISO code, such as "US"'


def _near_codes(code: str) -> str:
    import holidays

    known = holidays.list_supported_countries()
    if code.strip().upper() in known:
        return f"did you mean {code.strip().upper()}?"
    return "use an ISO code such as US or CN"


def _around(
    times_T: pd.DatetimeIndex, *, name: str, dates: Sequence[str], step: pd.Timedelta
) -> dict[str, np.ndarray]:
    """A flag for the special days, and for being the k-th period before or after the nearest one.

    A period is a day, or a step where steps are longer; a step inside a day has its day's value.
    """
    unit = max(step, DAY)
    first = times_T[0].normalize() if unit == DAY else times_T[0]
    of_T = ((times_T - first) // unit).to_numpy(np.int64)
    count = int(of_T[-1]) + 1
    marked = (_resolve(name, dates, times_T) - first) // unit
    special = np.zeros(count + 2 * REACH, dtype=bool)  # REACH periods of margin on both sides
    inside = marked[(marked >= -REACH) & (marked < count + REACH)].to_numpy(np.int64)
    special[inside + REACH] = True

    columns = {name: special[REACH : REACH + count]}
    for side, sign in (("in", 1), ("ago", -1)):
        nearer = columns[name].copy()
        for k in range(1, REACH + 1):
            low = REACH + sign * k
            days = special[low : low + count]
            columns[f"{name}_{side}_{k}"] = days & ~nearer
            nearer = nearer | days
    return {key: flags[of_T] for key, flags in columns.items()}


def _resolve(name: str, dates: Sequence[str], times_T: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """``MM-DD`` in every year of the grid, or a whole date once; ``first/last`` for a span."""
    years = range(times_T[0].year - 1, times_T[-1].year + 2)
    whole: list[pd.Timestamp] = []
    for date in dates:
        first, _, last = str(date).partition("/")
        try:
            starts, ends = _dates(first, years), _dates(last or first, years)
            if len(starts) != len(ends) or any(a > b for a, b in zip(starts, ends, strict=True)):
                raise ValueError(date)
        except ValueError as err:
            raise ConfigError(
                f"data.calendar.days.{name}: {date!r} is no date;"
                ' write "06-18" for every year, "2024-06-18" for one (quoted), or a span:'
                ' "06-01/06-20"'
            ) from err
        for start, end in zip(starts, ends, strict=True):
            whole.extend(pd.date_range(start, end, freq="D"))
    return pd.DatetimeIndex(whole, dtype="datetime64[ns]")


def _dates(date: str, years: range) -> list[pd.Timestamp]:
    """One date, or the same month and day of every year that has it."""
    if len(date) != len("MM-DD"):
        return [pd.Timestamp(date)]
    texts = [f"{year}-{date}" for year in years]
    if date == "02-29":
        texts = [text for text in texts if pd.Timestamp(f"{text[:4]}-01-01").is_leap_year]
    return [pd.Timestamp(text) for text in texts]


def _cycle(name: str, phase: np.ndarray) -> dict[str, np.ndarray]:
    """Sine and cosine of a phase given in turns."""
    angle = 2 * np.pi * phase
    return {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}


def _one_hot(name: str, values: pd.Index, levels: range) -> dict[str, np.ndarray]:
    return {f"{name}_{level}": values.to_numpy() == level for level in levels}


def _time_of_day(times_T: pd.DatetimeIndex) -> np.ndarray:
    return ((times_T - times_T.normalize()) / DAY).to_numpy()


PLAIN: dict[str, Callable[[pd.DatetimeIndex], dict[str, np.ndarray]]] = {
    "weekday": lambda t: _one_hot("weekday", t.day_of_week, range(7)),
    "hour": lambda t: _cycle("hour", _time_of_day(t)),
    "hour_of_day": lambda t: _one_hot("hour_of_day", t.hour, range(24)),
    "month": lambda t: _one_hot("month", t.month, range(1, 13)),
    "monthday": lambda t: _cycle("monthday", ((t.day - 1) / t.days_in_month).to_numpy()),
    "yearday": lambda t: _cycle("yearday", ((t.day_of_year - 1) / 365.25).to_numpy()),
}
