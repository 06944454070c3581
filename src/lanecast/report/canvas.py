"""A figure that is written to a file: without a display, without pyplot's global state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import RunFolderError

if TYPE_CHECKING:
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
