"""The core of a what-if question: a fitted coupled model asked for both arms, with its badge.

A model answers only what its badge covers: a network that saw treatments as they were logged
predicts well and cannot say what an action does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lanecast.causal.attribution.sensitivity import Band, band
from lanecast.data.ingest.layout import check_future
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET
from lanecast.data.views import with_roles
from lanecast.data.visibility.as_known import AsKnown
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import NotIdentified, ScenarioError
from lanecast.interventions import Intervention
from lanecast.models.as_known import view_at
from lanecast.models.protocol import Forecaster, Reporter
from lanecast.pipeline.facts import model_facts, window_facts
from lanecast.pipeline.opening import coupled_part
from lanecast.whatif.actions import action_of, check_do, unidentified
from lanecast.whatif.answers import Answer, Arms, moved_target
from lanecast.whatif.answers import what_if as answered
from lanecast.whatif.badges import ASSOCIATIONAL, is_do_valid, lesser, refuse_lesser
from lanecast.whatif.coupled import CoupledForecaster
from lanecast.whatif.treatments import columns_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The answer to an action, and what it may be taken for.

    ``nodes``: both arms of the target and of every node whose effect the graph identifies;
    ``not_identified``: the others, and why.  ``band``: where the target may lie, where its effect
    is only bounded.  ``model`` is the coupled one inside, ``facts`` what a record says of it.
    """

    answer: Answer
    nodes: Mapping[str, Arms]
    badge: str
    at: WindowIndex
    do: tuple[Intervention, ...]
    not_identified: Mapping[str, str]
    band: Band | None
    model: CoupledForecaster
    windows: Mapping[str, int]
    facts: Mapping[str, Any]

    @property
    def cutoff(self) -> int:
        """The last step that was known."""
        return int(self.at.cutoff_W[0])


def what_if(
    panel: Panel,
    model: Forecaster,
    *,
    windows: WindowSpec,
    do: Sequence[Intervention],
    cutoff: int | None = None,
    samples: int = 200,
    seed: int = 1,
    bounds: float | None = None,
    allow_associational: bool = False,
    audit: Mapping[str, Any] | None = None,
    subject: str | None = None,
    reporter: Reporter | None = None,
) -> WhatIf:
    """Answer ``do`` from ``cutoff`` (None: the last step with a target) with a fitted model.

    ``bounds``: where the graph does not identify the effect on the target, the band for hidden
    causes whose residuals correlate by up to so much, instead of a refusal.  ``audit``: what an
    audit measured of the model (`lanecast.audits.do_validity.Audit.to_record`).  ``subject`` names
    the model in errors.
    """
    subject = subject or f"model {model.name}"
    inside = coupled_part(model)
    badge = lesser(inside.describe().do_validity, audit)
    if not allow_associational:
        refuse_lesser(badge, inside.mode, subject=subject, audited=audit is not None)
    if audit is None:
        _warn(reporter, f"{subject} was not audited: its badge is what construction promises")
    graph = inside.graph
    check_do(do, graph, windows.horizon)
    at = _windows(panel, windows, panel.last_step if cutoff is None else cutoff)
    # Futures of treatments that are not there are drawn from their policies.
    check_future(with_roles(panel, dict.fromkeys(columns_of(graph).values())), at, windows)
    known, index = view_at(panel, at, inside.describe())
    not_identified = unidentified(graph, do, windows.horizon)
    limits = None
    if graph.target in not_identified:
        limits = _band(inside, known, index, do, bounds, why=not_identified[graph.target])
    answer = answered(inside, known, index, do=do, samples=samples, seed=seed)
    answer = _coherent(answer, model, inside, known, index, seed=seed)
    nodes = {
        name: replace(arms, at=_in_panel(arms.at, known)) for name, arms in answer.nodes.items()
    }
    answer = replace(answer, nodes=nodes)
    badge = _earned(badge, answer, allow_associational, reporter)
    _warn(reporter, *answer.warnings, *not_identified.values())
    hidden = set(not_identified) - {graph.target}
    return WhatIf(
        answer=answer,
        nodes={name: arms for name, arms in answer.nodes.items() if name not in hidden},
        badge=badge,
        at=at,
        do=tuple(do),
        not_identified=not_identified,
        band=limits,
        model=inside,
        windows=window_facts(panel, at, context=windows.context, cutoffs=[int(at.cutoff_W[0])]),
        facts=model_facts(inside),
    )


def _windows(panel: Panel, windows: WindowSpec, cutoff: int) -> WindowIndex:
    at = windows_at(panel, [cutoff], windows)
    if not len(at):
        raise ScenarioError(
            f"no series has {windows.min_context} targets in the {windows.context} steps up to"
            f" {panel.time_of(cutoff)}; set another cutoff="
        )
    return at


def _in_panel(at: WindowIndex, view: AsKnown) -> WindowIndex:
    return WindowIndex(series_W=view.numbers[at.series_W], cutoff_W=at.cutoff_W)


def _band(
    model: CoupledForecaster,
    panel: Panel,
    at: WindowIndex,
    do: Sequence[Intervention],
    correlation: float | None,
    *,
    why: str,
) -> Band:
    """The band of the target where the graph does not identify the effect on it, or a refusal."""
    if correlation is None:
        raise NotIdentified(
            f"{why}; here: bounds=<r> gives the band for hidden causes whose residuals correlate by"
            " up to r"
        )
    nodes = sorted({action.node for action in do})
    if len(nodes) != 1 or any(action.kind == "delay" for action in do):
        raise ScenarioError("bounds= takes an action on one node, and no delay")
    horizon = model.windows.horizon
    return band(
        model.layer,
        panel,
        at,
        horizon=horizon,
        action=action_of(do, graph=model.graph, panel=panel, at=at, horizon=horizon),
        treatment=nodes[0],
        max_correlation=correlation,
    )


def _coherent(
    answer: Answer,
    model: Forecaster,
    inside: CoupledForecaster,
    panel: Panel,
    at: WindowIndex,
    *,
    seed: int,
) -> Answer:
    """With a hierarchy: both arms of the target moved by what reconciling moves the baseline."""
    if model is inside:
        return answer
    before, after = (
        forecaster.predict(panel, at=at, seed=seed).point_WH for forecaster in (inside, model)
    )
    floor = panel.schema.columns[TARGET].non_negative
    return moved_target(answer, inside.graph.target, after - before, floor=floor)


def _earned(badge: str, answer: Answer, allow: bool, reporter: Reporter | None) -> str:
    """The badge, unless this very answer moved what the action cannot reach."""
    moved = max(answer.early, answer.strays)
    if not is_do_valid(badge) or moved == 0:
        return badge
    message = (
        f"the answer changes what the action cannot reach, by up to {moved:g}; it is"
        f" {ASSOCIATIONAL}, not {badge}"
    )
    if not allow:
        raise ScenarioError(
            f"{message}: train with coupling=delta, or set allow_associational=true"
        )
    _warn(reporter, message)
    return ASSOCIATIONAL


def _warn(reporter: Reporter | None, *messages: str) -> None:
    if reporter is not None:
        for message in messages:
            reporter.warn(message)
