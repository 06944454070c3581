"""The contract of a forecaster as a function: for a model of one's own, and for every one here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

from lanecast.data.windows import WindowSpec
from lanecast.errors import ConfigError
from lanecast.models.protocol import Forecaster
from lanecast.models.testing.claims import CLAIMS, Case
from lanecast.models.testing.panels import example_panel

__all__ = ["check_forecaster", "contract", "example_panel"]

SPEC = WindowSpec(context=28, horizon=14, min_context=7)


def contract() -> dict[str, str]:
    """Every claim by its name, in a sentence."""
    return {name: inspect.getdoc(claim) or "" for name, claim in CLAIMS.items()}


def check_forecaster(
    model: Forecaster | Callable[..., Forecaster], *, claims: Iterable[str] | None = None
) -> None:
    """Hold a forecaster against the contract; AssertionError names every claim that fails.

    ``model`` is an unfitted forecaster, its class, or a function that makes one.  What is called
    is given ``windows=`` if it takes them, and must need nothing else.  It is fitted some fifteen
    times on four short daily series: give it a small budget.
    """
    chosen = list(CLAIMS if claims is None else claims)
    if unknown := sorted(set(chosen) - set(CLAIMS)):
        raise ConfigError(f"there is no claim {unknown}; there are {', '.join(CLAIMS)}")
    case = Case(make=_maker(model))
    broken: list[str] = []
    first: Exception | None = None
    for name in chosen:
        try:
            CLAIMS[name](case)
        except AssertionError as failure:
            broken.append(f"{name}: {failure}")
            first = first or failure
        except Exception as failure:
            broken.append(f"{name}: it raised {type(failure).__name__}: {failure}")
            first = first or failure
    if first is not None:
        raise AssertionError("\n".join(broken)) from first


def _maker(model: Forecaster | Callable[..., Forecaster]) -> Callable[[], Forecaster]:
    if callable(model):
        takes_windows = "windows" in inspect.signature(model).parameters
        return lambda: model(windows=SPEC) if takes_windows else model()
    return model.clone
