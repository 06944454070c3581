"""Times at the border: read where one reading alone is possible, else refused with the option.

A column is read as a whole: a form and an order of day and month that hold for every row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from lanecast.data.ingest.values import such
from lanecast.data.schema import ID, TIME, step_length
from lanecast.errors import ConfigError, Faults, SchemaError
from lanecast.sources import Dates, SourceTable, row_words

DAY = pd.Timedelta(days=1)
_CLOCK = r"(?:(?:T|t| +)\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm])?)?"
_ZONE = r"(?: ?(?:Z|z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2}))?"
_MONTH = "[A-Za-z]{3,9}"
_NAMES_ZONE = r":\d\d.*(?:Z|z|UTC|[+-]\d\d:?\d{0,2})$"
# Ways to write a time.  Those without a year of four digits can be read in several ways.
FORMS = {
    "year first": rf"\d{{4}}([-/.])\d{{1,2}}\1\d{{1,2}}{_CLOCK}{_ZONE}",
    "year last": rf"\d{{1,2}}([-/.])\d{{1,2}}\1\d{{4}}{_CLOCK}",
    "short year": rf"\d{{1,2}}([-/.])\d{{1,2}}\1\d{{2}}{_CLOCK}",
    "month by name": rf"(?:\d{{1,2}}[ -]{_MONTH}|{_MONTH} \d{{1,2}},?)[ -]\d{{4}}{_CLOCK}",
    "short year, month by name": rf"\d{{1,2}}[ -]{_MONTH}[ -]\d{{2}}{_CLOCK}",
    "digits": r"\d+(?:\.\d+)?",
}
# Formats that strptime lacks: their unit in milliseconds and the day they count from.
COUNTED = {
    "excel": (24 * 60 * 60 * 1000, "1899-12-30"),
    "unix": (1000, "1970-01-01"),
    "unix_ms": (1, "1970-01-01"),
}
EXCEL_DAYS = (20_000, 80_000)  # 1954 to 2119
MOST = 2  # times of day of local midnights in UTC: in winter and in summer
MIDNIGHTS = 0.9  # share from which days begin at midnight, and others are rows off the grid
COMPACT = (19_000_101, 22_000_101)  # 19000101 to 22000101
UNIX_SECONDS = (3e8, 7e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of times under check: refusals name the series and the place of a row."""

    ids: pd.Series
    place: Callable[[int], str]
    faults: Faults
    dates: Dates
    freq: str

    def refuse(self, row: int, reason: str, count: int = 1) -> None:
        self.faults.add(
            SchemaError(
                f"{TIME} of series {self.ids.iloc[row]!r}, {self.place(row)}: {reason}"
                f"{such(count, 'rows')}"
            )
        )


def clean_times(
    times: pd.Series,
    ids: pd.Series,
    faults: Faults | None = None,
    *,
    freq: str = "D",
    dates: Dates | None = None,
    place: Callable[[int], str] = row_words,
) -> pd.Series:
    """Naive datetimes: of days and longer steps the local date, else UTC as it is.

    Where faults are kept, a time that is none, or that is ambiguous, stays missing.
    """
    if times.dtype == "datetime64[ns]" and not times.isna().any() and dates is None:
        return times
    column = _Column(
        ids=ids, place=place, faults=faults or Faults(), dates=dates or Dates(), freq=freq
    )
    if (absent := times.isna().to_numpy()).any():
        problem = "the time is missing; remove the row"
        column.refuse(int(np.flatnonzero(absent)[0]), problem, int(absent.sum()))
    had_dates = pd.api.types.is_datetime64_any_dtype(times.dtype)
    if absent.all():
        return pd.Series(pd.NaT, index=times.index, dtype="datetime64[ns]")
    if pd.api.types.is_numeric_dtype(times.dtype):
        text = times.astype("str").str.removesuffix(".0").where(times.notna())
        times = _read(text, column)
    elif not pd.api.types.is_datetime64_any_dtype(times.dtype):
        times = _of_objects(times, column)
    if times.dt.tz is not None:
        utc = times.dt.tz_convert("UTC").dt.tz_localize(None)
        times = _local(times.dt.tz_localize(None), utc, str(times.dt.tz), column)
    elif column.dates.zone is not None and had_dates:
        _refuse_zone(column)
    return _in_range(times, column).astype("datetime64[ns]")


def with_plain_times(table: SourceTable, freq: str) -> SourceTable:
    """The table with its times read: no later reader needs to know how they were written."""
    times = clean_times(table.frame[TIME], table.frame[ID], freq=freq, dates=table.dates)
    return replace(table, frame=table.frame.assign(**{TIME: times}), dates=Dates())


def _refuse_zone(column: _Column) -> None:
    column.refuse(
        0,
        f"data.source.time_zone={column.dates.zone} is set, but the times name no zone: leave it"
        " out, and they are taken as they are",
    )


def _local(wall: pd.Series, utc: pd.Series, zone: str, column: _Column) -> pd.Series:
    """Times without their zone: those of ``data.source.time_zone``, or as their clocks show them.

    ``wall`` is what the clock of ``zone`` shows and ``utc`` the same moments in UTC.  Days are
    local days; hours are taken as they are in UTC alone, as elsewhere they repeat or vanish.
    """
    if column.dates.zone is not None:
        return (
            utc.dt.tz_localize("UTC").dt.tz_convert(_zone(column.dates.zone)).dt.tz_localize(None)
        )
    is_utc = zone in ("UTC", "UTC+00:00")
    clocks = (wall - wall.dt.normalize()).dropna().unique()
    if step_length(column.freq) >= DAY:
        if not is_utc:
            return wall
        midnights = (wall == wall.dt.normalize()).sum() / max(1, wall.notna().sum())
        if midnights > MIDNIGHTS or len(clocks) > MOST:
            return wall
        shown = " and ".join(f"{wall.dt.normalize().iloc[0] + clock:%H:%M}" for clock in clocks[:2])
        reason = (
            f"days begin at {shown} in {zone}, which are midnights elsewhere? set"
            " data.source.time_zone to the zone whose days they are, such as Europe/Berlin or"
            " America/New_York, or to UTC to take them as they are"
        )
    elif is_utc:
        return wall
    else:
        reason = (
            f"times are in {zone}, where hours can repeat or vanish; set data.source.time_zone=UTC,"
            " or to the zone whose hours they are to be counted in"
        )
    column.refuse(0, reason)
    return wall


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ConfigError(
            f"data.source.time_zone={name!r} is no time zone; write it as Europe/Berlin,"
            " America/New_York or UTC"
        ) from err


def _in_range(times: pd.Series, column: _Column) -> pd.Series:
    """Times that a table can hold; others are refused, and missing."""
    low, high = pd.Timestamp.min.as_unit("us"), pd.Timestamp.max.as_unit("us")
    if not (times.min() < low or times.max() > high):
        return times
    beyond = ((times < low) | (times > high)).to_numpy()
    row = int(np.flatnonzero(beyond)[0])
    problem = (
        f"{times.iloc[row]:%F} is no time that a table can hold; correct it, or remove the row"
    )
    column.refuse(row, problem, int(beyond.sum()))
    return times.where(~beyond)


def _of_objects(times: pd.Series, column: _Column) -> pd.Series:
    """A column of text, or of dates that Python holds."""
    if times.dtype == object:
        is_text = np.fromiter((isinstance(value, str) for value in times), bool, len(times))
        if not is_text.any():
            try:
                return pd.to_datetime(times)
            except (ValueError, TypeError):
                pass
        times = times.map(lambda value: None if pd.isna(value) else str(value)).astype("str")
    return _read(times, column)


def _read(times: pd.Series, column: _Column) -> pd.Series:
    """Times of a column of text, each different text read once."""
    code_R, texts = pd.factorize(times)
    written = pd.Series(np.asarray(texts, dtype=object), dtype="str")
    if column.dates.format is not None:
        parsed, wrong = _by_format(written.str.strip(), column.dates.format, column)
        reason = f"has not the form of data.source.date_format={column.dates.format}"
        _refuse_texts(written, code_R, wrong, reason, column)
    else:
        parsed = _by_form(written, code_R, column)
    picked = np.append(parsed.to_numpy(), np.datetime64("NaT"))[code_R]
    return pd.Series(picked, index=times.index)


def _by_format(texts: pd.Series, form: str, column: _Column) -> tuple[pd.Series, np.ndarray]:
    """Times by the format that is given, and which of them do not have it."""
    if form in COUNTED:
        unit, origin = COUNTED[form]
        numbers = pd.to_numeric(texts, errors="coerce")
        parsed = pd.Timestamp(origin) + pd.to_timedelta(numbers * unit, unit="ms")
        parsed = parsed.dt.round("us")
    else:
        try:
            parsed = pd.to_datetime(texts, format=form, errors="coerce", utc="%z" in form)
        except ValueError as err:
            raise ConfigError(
                f"data.source.date_format={form!r} is no format ({err}); write it as strptime does,"
                " such as %d/%m/%Y, or excel, unix or unix_ms"
            ) from err
        if "%z" in form:
            utc, zone = parsed.dt.tz_localize(None), texts.str.extract(r"([+-]\d{2}:?\d{2}|Z)$")[0]
            parsed = _local(utc + _offsets(zone), utc, _shared(zone), column)
    wrong = parsed.isna().to_numpy()
    if wrong.all() and texts.str.fullmatch(FORMS["year first"]).all():
        # A second file, such as the days ahead, may be plain where the first was not.
        parsed, why = _year_first(texts, np.ones(len(texts), dtype=bool), column)
        return (parsed, np.zeros(len(texts), bool)) if why is None else (parsed, wrong)
    return parsed, wrong


def _by_form(written: pd.Series, code_R: np.ndarray, column: _Column) -> pd.Series:
    """Times of texts that are all written in one form; the others are refused."""
    texts = written.str.strip()
    form_U = np.full(len(texts), -1)
    for number, pattern in enumerate(FORMS.values()):
        form_U[(form_U < 0) & texts.str.fullmatch(pattern).to_numpy(bool)] = number
    rows_U = np.bincount(code_R[code_R >= 0], minlength=len(texts))
    nothing = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[ns]")
    is_date = "is no date; write it as 2024-06-18 or 2024-06-18 14:00"
    _refuse_texts(written, code_R, form_U < 0, is_date, column)
    if column.dates.zone is not None and not texts.str.contains(_NAMES_ZONE).any():
        _refuse_zone(column)
    if (form_U < 0).all():
        return nothing
    usual = int(np.bincount(form_U[form_U >= 0], weights=rows_U[form_U >= 0]).argmax())
    sample = written[form_U == usual].iloc[0]
    other = (form_U >= 0) & (form_U != usual)
    reason = f"is written otherwise than {sample!r}; write all times alike"
    _refuse_texts(written, code_R, other, reason, column)
    usual_U = form_U == usual
    form = list(FORMS)[usual]
    parsed: pd.Series | None
    why: str | None
    if form == "year first":
        parsed, why = _year_first(texts, usual_U, column)
    elif form == "year last":
        parsed, why = _year_last(texts, usual_U)
    elif form == "month by name":
        alike = texts.where(usual_U).str.replace(",", "").str.replace("-", " ")
        parsed, why = pd.to_datetime(alike, format="mixed", errors="coerce"), None
    else:
        hint = _digits_format(sample) if form == "digits" else _short_format(sample)
        parsed, why = None, f"may be more than one date; say which with {hint}"
    if why is not None:
        first = _first_row(code_R, usual_U)
        column.refuse(first, f"{written[code_R[first]]!r} {why}", int(rows_U[usual_U].sum()))
        return nothing if parsed is None else parsed
    assert parsed is not None
    _refuse_texts(written, code_R, usual_U & parsed.isna().to_numpy(), is_date, column)
    return parsed


def _refuse_texts(
    written: pd.Series, code_R: np.ndarray, wrong_U: np.ndarray, reason: str, column: _Column
) -> None:
    """Refuse the rows of some texts, the first by name."""
    if not wrong_U.any():
        return
    row = _first_row(code_R, wrong_U)
    count = int((np.append(wrong_U, False)[code_R]).sum())
    column.refuse(row, f"{written[code_R[row]]!r} {reason}", count)


def _first_row(code_R: np.ndarray, of_U: np.ndarray) -> int:
    return int(np.append(of_U, False)[code_R].argmax())


def _year_first(
    texts: pd.Series, usual_U: np.ndarray, column: _Column
) -> tuple[pd.Series, str | None]:
    """2024-06-18 and its like, without their zone; what is wrong with all of them, if anything."""
    plain = texts.where(usual_U).str.replace(r"^(\d{4})[/.](\d{1,2})[/.]", r"\1-\2-", regex=True)
    pieces = plain.str.extract(r"^(.*?:\d{2}(?:[.,]\d+)?(?: ?[AaPp][Mm])?) ?(Z|z|UTC|[+-][\d:]+)$")
    zoned = pieces[1].notna().to_numpy()
    wall = pd.to_datetime(pieces[0].where(zoned, plain), format="mixed", errors="coerce")
    if not zoned.any():
        return wall, None
    if not zoned[usual_U].all():
        return (
            wall,
            "and other times: some name a zone; the table mixes time zones, write all times in UTC",
        )
    return _local(wall, wall - _offsets(pieces[1]), _shared(pieces[1]), column), None


def _offsets(zone: pd.Series) -> pd.Series:
    """``+05:30`` and its like as durations; 0 of Z."""
    parts = zone.str.extract(r"([+-])(\d{2}):?(\d{2})?")
    minutes = pd.to_numeric(parts[1]).fillna(0) * 60 + pd.to_numeric(parts[2]).fillna(0)
    return pd.to_timedelta(minutes.where(parts[0] != "-", -minutes), unit="min")


def _shared(zone: pd.Series) -> str:
    """The one offset of all times; those of several are none that hours can be counted in."""
    offsets = _offsets(zone.dropna()).unique()
    if len(offsets) > 1:
        return "several time zones"
    return "UTC" if offsets[0] == pd.Timedelta(0) else str(zone.dropna().iloc[0])


def _year_last(texts: pd.Series, usual_U: np.ndarray) -> tuple[pd.Series | None, str | None]:
    """Day or month first, as all rows together tell."""
    parts = texts.where(usual_U).str.extract(r"^(\d{1,2})([-/.])(\d{1,2})")
    first = pd.to_numeric(parts[0]).fillna(0)
    second = pd.to_numeric(parts[2]).fillna(0)
    neither = (first > 12) & (second > 12)  # no date in any order
    first, second = first.mask(neither, 0), second.mask(neither, 0)
    day_first, month_first = (first > 12).any(), (second > 12).any()
    forms = [_numeric_format(texts[usual_U].iloc[0], order) for order in ("%d %m %Y", "%m %d %Y")]
    if day_first and month_first:
        return None, (
            f"and {texts[first > 12].iloc[0]!r}, {texts[second > 12].iloc[0]!r} put the day in"
            " different places; write all times alike, such as 2024-06-18"
        )
    if not day_first and not month_first:
        return None, (
            "has its day or its month first, and no row tells which; set"
            f" {_option(forms[0])} or {_option(forms[1])}"
        )
    plain = texts.where(usual_U).str.replace(r"[/.]", "-", regex=True)
    return pd.to_datetime(plain, format="mixed", dayfirst=bool(day_first), errors="coerce"), None


def _numeric_format(text: str, order: str) -> str:
    mark = next(mark for mark in "/.-" if mark in text)
    form = order.replace(" ", mark)
    clock = re.search(r"([T ])\d{1,2}:\d{2}(:\d{2})?(\.\d+)?( ?[AaPp][Mm])?", text)
    if clock is None:
        return form
    hour = "%I" if clock[4] else "%H"
    second = (":%S" if clock[2] else "") + (".%f" if clock[3] else "")
    half = "" if not clock[4] else clock[4][: -len("AM")] + "%p"
    return f"{form}{clock[1]}{hour}:%M{second}{half}"


def _short_format(text: str) -> str:
    if re.search("[A-Za-z]{3}", text):
        mark = "-" if "-" in text else " "
        return _option(f"%d{mark}%b{mark}%y")
    return " or ".join(_option(_numeric_format(text, f"%{a} %{b} %y")) for a, b in ("dm", "md"))


def _digits_format(text: str) -> str:
    number = float(text)
    if COMPACT[0] <= number < COMPACT[1] and len(text) == 8:
        return _option("%Y%m%d")
    if EXCEL_DAYS[0] <= number < EXCEL_DAYS[1]:
        return f"{_option('excel')} (days of a spreadsheet)"
    if UNIX_SECONDS[0] <= number < UNIX_SECONDS[1]:
        return f"{_option('unix')} (seconds since 1970)"
    if UNIX_SECONDS[0] <= number / 1000 < UNIX_SECONDS[1]:
        return f"{_option('unix_ms')} (milliseconds since 1970)"
    return "data.source.date_format, as it is a number; or write dates such as 2024-06-18"


def _option(form: str) -> str:
    option = f"data.source.date_format={form}"
    return f"'{option}'" if " " in form else option
