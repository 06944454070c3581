"""The words of the config in an error, as the arguments that Python calls them by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from lanecast.errors import LanecastError

ARGUMENTS = {
    "data.source.rename": "time= or target=",
    "data.source.drop": "drop=",
    "data.source.id": "id=",
    "+data.schema.columns.": "columns: ",
    "data.schema.columns": "known_future=, observed=, static= or columns=",
    "data.schema.freq": "freq=",
    "data.schema.absent": "absent=",
    "data.schema.until": "until",
    "data.schema.closed_known": "closed_known",
    "data.schema.closed": "closed",
    "data.schema.closes_after": "closes_after",
    "data.calendar.features": "calendar=",
    "data.calendar.country": "country=",
    "data.calendar.days": "calendar={'days': ...}",
    "data.calendar.label": "calendar={'label': ...}",
    "data.future_path": "future=",
    "protocol.first_cutoff": "cutoffs",
    "protocol.count": "cutoffs",
    "strict=true": "strict=True",
}
WRITTEN = re.compile(
    r"'?data\.source\.(encoding|separator|decimal|thousands|date_format|time_zone|missing)"
    r"(?:=('[^']*'|\"[^\"]*\"|\[[^]]*\]|%\S*|\S+?(?=[,;:)]?(?:\s|$))))?'?"
)
KEY = re.compile(r"\b(?:windows|optim|protocol|trainer|coupling)\.(\w+)")


@contextmanager
def python_words() -> Iterator[None]:
    """An error of the block says ``horizon``, not ``windows.horizon``."""
    try:
        yield
    except LanecastError as error:
        error.args = (in_python(str(error)),)
        raise


def in_python(text: str) -> str:
    """A message with the arguments of Python in the place of keys of the config."""
    for key, argument in ARGUMENTS.items():
        text = text.replace(key, argument)
    text = WRITTEN.sub(lambda match: f"source={{'{match[1]}': {match[2] or '...'}}}", text)
    return KEY.sub(r"\1", text)
