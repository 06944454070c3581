"""What every forecaster keeps, claim by claim, held on `example_panel`.

Axes: ``W`` windows, ``H`` horizon, ``Q`` quantile levels, ``S`` sample paths.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import Role
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import ConfigError, LeakageError, SchemaError
from lanecast.models.protocol import SEEDED, Forecaster
from lanecast.models.testing.panels import (
    change_known,
    change_unknown,
    example_panel,
    with_late_target,
)

QUANTILES = (0.1, 0.5, 0.9)
SAMPLES = 5
SOURCES = ("model", "residuals", "conformal", "paths", "members")
MEMBERS = (
    "name", "fitted_until", "report", "describe", "fit", "predict", "save", "load", "clone",
    "with_horizon", "as_of",
)  # fmt: skip


@dataclass(kw_only=True)
class Case:
    """A forecaster under the contract: ``make`` gives a fresh one, ``fitted`` has seen `until`.

    ``refuses_unseen`` says whether series that it was not fitted on are refused; None: either.
    """

    make: Callable[[], Forecaster]
    refuses_unseen: bool | None = None

    @cached_property
    def spec(self) -> WindowSpec:
        """Its windows."""
        return self.make().describe().windows

    @cached_property
    def until(self) -> int:
        """The end of what it may know: two windows, and twelve weeks at least."""
        return max(84, 2 * (self.spec.context + self.spec.horizon))

    @property
    def late(self) -> int:
        """A cutoff whose fit ends there."""
        return self.until + self.spec.horizon

    @cached_property
    def panel(self) -> Panel:
        """Ends where the horizon of the last cutoff does, or a little later."""
        return example_panel(steps=self.late + self.spec.horizon + 8)

    @cached_property
    def late_panel(self) -> Panel:
        """The same with a target that is told two steps late."""
        return with_late_target(self.panel)

    def at(self, panel: Panel, *cutoffs: int) -> WindowIndex:
        """All windows with these cutoffs, or with two that follow the fit."""
        return windows_at(panel, cutoffs or (self.late, self.late + 6), self.spec)

    def forecast(
        self, forecaster: Forecaster, panel: Panel, at: WindowIndex, seed: int = 0
    ) -> Forecasts:
        """All that can be asked."""
        return forecaster.predict(panel, at=at, quantiles=QUANTILES, samples=SAMPLES, seed=seed)

    @cached_property
    def fitted(self) -> Forecaster:
        """Fitted once, for the claims that need no fit of their own."""
        return self.make().fit(self.panel, until=self.until)

    @cached_property
    def forecasts(self) -> Forecasts:
        """Its forecasts at two cutoffs."""
        return self.forecast(self.fitted, self.panel, self.at(self.panel))

    @cached_property
    def late_fitted(self) -> Forecaster:
        """Fitted up to the cutoff that it then forecasts from."""
        return self.make().fit(self.late_panel, until=self.late)

    @cached_property
    def late_forecasts(self) -> Forecasts:
        """What it forecasts there."""
        at = self.at(self.late_panel, self.late)
        return self.forecast(self.late_fitted, self.late_panel, at)


Claim = Callable[[Case], None]


def hold(condition: bool, message: str) -> None:
    """AssertionError unless it holds; a plain assert would vanish under ``python -O``."""
    if not condition:
        raise AssertionError(message)


def same(first: Forecasts, second: Forecasts) -> bool:
    """Bit-identical in everything that was asked for."""
    return (
        np.array_equal(first.point_WH, second.point_WH)
        and np.array_equal(_quantiles(first), _quantiles(second))
        and np.array_equal(_samples(first), _samples(second))
    )


def keeps_the_protocol(case: Case) -> None:
    """It has every member of `Forecaster`, and knows until when it was fitted."""
    fresh = case.make()
    missing = [name for name in MEMBERS if not hasattr(fresh, name)]
    hold(not missing, f"{type(fresh).__name__} lacks {', '.join(missing)}")
    hold(isinstance(fresh, Forecaster), f"{type(fresh).__name__} is no Forecaster")
    hold(fresh.fitted_until is None, "fitted_until of a fresh one is not None")
    until = case.fitted.fitted_until
    hold(until == case.until, f"fitted_until is {until} after a fit until {case.until}")


def describes_itself_before_and_after_a_fit(case: Case) -> None:
    """`describe` says what it reads and where its quantiles come from."""
    for forecaster in (case.make(), case.fitted):
        facts = forecaster.describe()
        hold(facts.windows == case.spec, f"its windows became {facts.windows}")
        hold(Role.TARGET in facts.uses, "it does not say that it reads the target")
        hold(facts.quantiles in SOURCES, f"quantiles={facts.quantiles!r} is none of {SOURCES}")
        hold(facts.seeded in SEEDED, f"seeded={facts.seeded!r} is none of {SEEDED}")
        hold(
            facts.do_validity == "associational" or facts.graph is not None,
            f"do_validity={facts.do_validity!r} needs a causal graph",
        )
    hold(case.make().describe().static_names is None, "static_names is set before a fit")
    names = case.fitted.describe().static_names
    allowed = (("size",),) if Role.STATIC in case.fitted.describe().uses else (None, ("size",))
    hold(names in allowed, f"static_names={names} after a fit with the static 'size'")


def gives_another_horizon_as_an_unfitted_copy_or_refuses(case: Case) -> None:
    """`with_horizon` gives an unfitted copy, where `describe` says so; else ConfigError."""
    horizon = case.spec.horizon // 2 or 2
    if not case.fitted.describe().horizons:
        _refused(
            ConfigError,
            lambda: case.fitted.with_horizon(horizon),
            "with_horizon",
            match="windows.horizon",
        )
        return
    other = case.fitted.with_horizon(horizon)
    hold(type(other) is type(case.fitted), f"the copy is a {type(other).__name__}")
    hold(other.describe().windows == replace(case.spec, horizon=horizon), "the copy's windows")
    hold(other.fitted_until is None, "the copy says that it is fitted")
    hold(case.fitted.fitted_until == case.until, "the original lost its fit")


def clones_are_fitted_on_their_own(case: Case) -> None:
    """Nothing that a `clone` learns reaches the original, and a clone's fit is a fresh one."""
    other = case.fitted.clone().fit(case.panel, until=case.until - 7)
    at = case.at(case.panel)
    hold(other.fitted_until == case.until - 7, "the clone was not fitted")
    hold(case.fitted.fitted_until == case.until, "the clone's fit reached the original")
    hold(same(case.forecasts, case.forecast(case.fitted, case.panel, at)), "the original moved")
    again = other.fit(case.panel, until=case.until)
    hold(
        same(case.forecasts, case.forecast(again, case.panel, at)), "the clone forecasts otherwise"
    )


def forecasts_are_whole_finite_and_sorted(case: Case) -> None:
    """Every window has finite points, sorted quantiles and joint paths, in the target's range."""
    shape = (len(case.at(case.panel)), case.spec.horizon)
    answer = case.forecasts
    quantiles_WHQ, samples_SWH = _quantiles(answer), _samples(answer)
    for name, values, wanted in (
        ("point_WH", answer.point_WH, shape),
        ("quantiles_WHQ", quantiles_WHQ, (*shape, len(QUANTILES))),
        ("samples_SWH", samples_SWH, (SAMPLES, *shape)),
    ):
        hold(values.shape == wanted, f"{name} has the shape {values.shape}, not {wanted}")
        hold(bool(np.isfinite(values).all()), f"{name} is not finite")
        hold(values.min() >= 0, f"{name} is negative, and the target is declared non_negative")
    hold(bool(np.all(np.diff(quantiles_WHQ, axis=-1) >= 0)), "quantiles are not sorted")
    hold(answer.levels == QUANTILES, f"levels={answer.levels} of {QUANTILES}")
    hold(np.allclose(answer.point_WH, quantiles_WHQ[..., 1], atol=1e-5), "point is not the median")


def windows_are_answered_in_the_order_asked(case: Case) -> None:
    """The answer to shuffled windows is the shuffled answer."""
    at = case.at(case.panel)
    order = np.random.default_rng(0).permutation(len(at))
    again = case.fitted.predict(case.panel, at=at[order], quantiles=QUANTILES)
    hold(np.array_equal(again.index.series_W, at.series_W[order]), "the index has another order")
    points = case.forecasts.point_WH[order]
    hold(np.allclose(again.point_WH, points, rtol=1e-4, atol=1e-4), "the points are others")


def no_windows_give_no_forecasts(case: Case) -> None:
    """An empty index is answered with an empty forecast."""
    answer = case.forecast(case.fitted, case.panel, case.at(case.panel)[:0])
    hold(answer.point_WH.shape == (0, case.spec.horizon), f"shape {answer.point_WH.shape}")


def same_seed_gives_the_same_forecast(case: Case) -> None:
    """`predict` repeats itself bit for bit; another seed draws other paths around equal points."""
    at = case.at(case.panel)
    again = case.forecast(case.fitted, case.panel, at)
    hold(same(case.forecasts, again), "the same seed gives another forecast")
    other = case.forecast(case.fitted, case.panel, at, seed=1)
    hold(np.array_equal(case.forecasts.point_WH, other.point_WH), "points depend on the seed")
    paths = np.array_equal(_samples(case.forecasts), _samples(other))
    hold(not paths, "another seed gives the same paths")


def refits_start_afresh(case: Case) -> None:
    """Fitting again forgets what was fitted before."""
    again = case.make().fit(case.panel, until=case.until - 14).fit(case.panel, until=case.until)
    hold(again.fitted_until == case.until, f"fitted_until is {again.fitted_until}")
    answer = case.forecast(again, case.panel, case.at(case.panel))
    hold(same(case.forecasts, answer), "a second fit forecasts otherwise than a first")


def ignores_everything_unknown_at_the_cutoff(case: Case) -> None:
    """Where all that was not known is changed, fit and forecast stay the same bit for bit."""
    poisoned = change_unknown(case.late_panel, case.late)
    at = case.at(poisoned, case.late)
    answer = case.forecast(case.late_fitted, poisoned, at)
    hold(same(case.late_forecasts, answer), "its forecast depends on what was not known (leakage)")
    fitted = case.make().fit(poisoned, until=case.late)
    hold(
        same(case.late_forecasts, case.forecast(fitted, poisoned, at)),
        "its fit depends on what was not known (leakage)",
    )


def moves_with_the_roles_it_uses_and_no_other(case: Case) -> None:
    """Where known values of a role change, the forecast moves if it uses that role."""
    for role in Role:
        changed = change_known(case.late_panel, case.late, role, horizon=case.spec.horizon)
        fitted = case.make().fit(changed, until=case.late)
        answer = case.forecast(fitted, changed, case.at(changed, case.late))
        moved, used = (
            not same(case.late_forecasts, answer),
            role in case.late_fitted.describe().uses,
        )
        hold(moved or not used, f"it says that it uses {role.value}, and does not move with it")
        hold(used or not moved, f"it moves with {role.value}, and does not say that it uses it")


def refuses_a_cutoff_before_the_end_of_its_fit(case: Case) -> None:
    """LeakageError for a window that it already knows the answer of."""
    early = case.at(case.panel, case.until - 1)
    _refused(LeakageError, lambda: case.forecast(case.fitted, case.panel, early), "an early cutoff")


def series_unseen_in_training_are_forecast_or_refused(case: Case) -> None:
    """Series that were not fitted are forecast as well, or refused by SchemaError."""
    fitted = case.make().fit(case.panel.select([0, 1]), until=case.until)
    at = case.at(case.panel)
    try:
        answer = case.forecast(fitted, case.panel, at)
    except SchemaError as refused:
        hold(case.refuses_unseen is not False, f"it refuses them: {refused}")
        return
    hold(not case.refuses_unseen, "it forecasts them")
    hold(answer.point_WH.shape == (len(at), case.spec.horizon), f"shape {answer.point_WH.shape}")
    hold(bool(np.isfinite(_quantiles(answer)).all()), "quantiles are not finite")


def saved_state_forecasts_as_before(case: Case) -> None:
    """`load` of a fresh one takes up what `save` wrote, without pickles."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        case.fitted.save(folder)
        loaded = case.make().load(folder)
        pickles = [path.name for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]
    hold(loaded.fitted_until == case.until, f"fitted_until is {loaded.fitted_until}")
    answer = case.forecast(loaded, case.panel, case.at(case.panel))
    hold(same(case.forecasts, answer), "it forecasts otherwise than before")
    was, now = (replace(each.describe(), counts={}) for each in (case.fitted, loaded))
    hold(was == now, f"it describes itself otherwise: {now}, not {was}")
    hold(loaded.report is None, "a loaded one reports a fit")
    hold(not pickles, f"pickles run code when they are read: {pickles}")


def _quantiles(answer: Forecasts) -> np.ndarray:
    if answer.quantiles_WHQ is None:
        raise AssertionError("quantiles were asked for, and there are none")
    return answer.quantiles_WHQ


def _samples(answer: Forecasts) -> np.ndarray:
    if answer.samples_SWH is None:
        raise AssertionError("sample paths were asked for, and there are none")
    return answer.samples_SWH


def _refused(
    kind: type[Exception], ask: Callable[[], object], subject: str, *, match: str = ""
) -> None:
    try:
        ask()
    except kind as refusal:
        hold(match in str(refusal), f"the refusal of {subject} does not name {match}: {refusal}")
        return
    raise AssertionError(f"{subject} is not refused by {kind.__name__}")


CLAIMS: dict[str, Claim] = {
    claim.__name__: claim
    for claim in (
        keeps_the_protocol,
        describes_itself_before_and_after_a_fit,
        forecasts_are_whole_finite_and_sorted,
        windows_are_answered_in_the_order_asked,
        no_windows_give_no_forecasts,
        same_seed_gives_the_same_forecast,
        refits_start_afresh,
        clones_are_fitted_on_their_own,
        ignores_everything_unknown_at_the_cutoff,
        moves_with_the_roles_it_uses_and_no_other,
        refuses_a_cutoff_before_the_end_of_its_fit,
        series_unseen_in_training_are_forecast_or_refused,
        gives_another_horizon_as_an_unfitted_copy_or_refuses,
        saved_state_forecasts_as_before,
    )
}
