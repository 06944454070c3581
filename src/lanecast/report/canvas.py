"""Where figures are drawn: in a file, without a display, or on axes that a user will look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import RunFolderError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 144


@contextmanager
def canvas(path: Path, size: tuple[float, float], **options: Any) -> Iterator[Figure]:
    """A figure of ``size`` inches; at the end of the block it is written to ``path``.

    Names stand in it as they are: a ``$`` begins no formula.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"text.parse_math": False}):  # read when a text is made or drawn
        figure = Figure(figsize=size, **options)
        FigureCanvasAgg(figure)
        yield figure
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=DPI)
        except OSError as err:
            raise RunFolderError(f"the figure cannot be written to {path}: {err}") from err


@contextmanager
def open_axes(ax: Axes | None, size: tuple[float, float]) -> Iterator[Axes]:
    """The axes given, or those of a new figure of pyplot, which a notebook shows by itself."""
    if ax is None:
        with open_figure(size) as figure:
            yield figure.add_subplot()
    else:
        yield ax
        _take_names_as_they_are(ax)


@contextmanager
def open_figure(size: tuple[float, float]) -> Iterator[Figure]:
    """A new figure of pyplot."""
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=size, layout="constrained")
    try:
        yield figure
    except BaseException:
        pyplot.close(figure)  # else a notebook would show it, empty
        raise
    _take_names_as_they_are(figure)


def _take_names_as_they_are(drawn: Axes | Figure) -> None:
    """A ``$`` in a name begins no formula, whenever the figure is shown."""
    from matplotlib.text import Text

    for text in drawn.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
