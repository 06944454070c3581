"""The causal-DAG layer: mechanisms of a declared graph, fitted, abducted, rolled and saved.

Axes: ``N`` series, ``T`` steps, ``W`` windows, ``H`` horizon, ``S`` samples, ``J`` nodes in
``graph.order``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import copy, deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary, ref

import numpy as np
import torch
from torch import Tensor

from lanecast.causal.graph.declaration import hint
from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.dense import Dense, LinkSpace, visible_values
from lanecast.causal.scm.fitting import FitBudget, fit_mechanisms
from lanecast.causal.scm.mechanisms import Mechanisms
from lanecast.causal.scm.noise import GRID
from lanecast.causal.scm.prepared import Prepared, prepare
from lanecast.causal.scm.replay import abducted, replayed
from lanecast.causal.scm.wiring import wire
from lanecast.data.disk.weights import load_tensors, save_tensors
from lanecast.data.lifetime import closes, open_before
from lanecast.data.panel import Panel
from lanecast.errors import CheckpointError, GraphError, LeakageError

_UNFITTED = "the causal layer was never fitted; call fit(panel, until=...)"
_KEPT = 4  # preparations of one panel, where newcomers make them depend on the cutoff


class CausalLayer:
    """Structural equations of ``graph``; ``fit`` sees what is known at ``until`` and no more.

    The graph is an assumption: what is asked of the layer is valid if the graph is, if every action
    asked for was seen in like circumstances (positivity), and, for counterfactuals, if the noise
    enters each mechanism monotonically.
    """

    def __init__(self, *, graph: Graph, budget: FitBudget | None = None, seed: int = 1) -> None:
        self.graph, self.budget, self.seed = graph, budget or FitBudget(), seed
        self.wiring = wire(graph)
        self.fitted_until: int | None = None
        self.losses: dict[str, float] = {}
        self._fitted_on: ref[Panel] | None = None
        self._mechanisms: Mechanisms | None = None
        self._links = LinkSpace(graph)
        self._tables: np.ndarray | None = None
        self._forget()

    @property
    def noises(self) -> tuple[str, ...]:
        """Noise model of each node."""
        return tuple(self.graph.nodes[name].noise for name in self.graph.order)

    @property
    def mechanisms(self) -> Mechanisms:
        """The fitted mechanisms."""
        if self._mechanisms is None:
            raise LeakageError(_UNFITTED)
        return self._mechanisms

    @property
    def noise_tables(self) -> np.ndarray | None:
        """Quantiles of standardized residuals, [J, len(GRID)], for nodes of empirical noise."""
        return self._tables

    @property
    def gates(self) -> dict[str, float]:
        """Openness of each optional edge after the fit, in [0, 1]."""
        openness = self.mechanisms.gates().detach().tolist()
        return dict(zip(self.wiring.optional, openness, strict=True))

    def node(self, name: str) -> int:
        """Number of a node in ``J``; GraphError for one that is not there or not seen."""
        if name not in self.graph.order:
            raise GraphError(
                f"the graph has no node {name!r} that is seen{hint(name, self.graph.order)}"
            )
        return self.graph.order.index(name)

    def check(self, cutoff: int) -> None:
        """LeakageError for a window before the end of what the fit saw."""
        self._links.check(cutoff)

    def fit(self, panel: Panel, *, until: int) -> Self:
        """Learn every mechanism, teacher-forced, from cells known at ``until``.

        Fitted on the same panel object until the same step, it stays as it is, so that several
        forecasters can share one layer.
        """
        if self.fitted_until == until and self._fitted_on and self._fitted_on() is panel:
            return self
        dense = Dense.of(panel, self.graph)
        known = Dense(
            panel=panel,
            values_NTJ=visible_values(dense, self.graph, until)[:, : until + 1],
            context_TF=dense.context_TF,
        )
        links = LinkSpace(self.graph).fit(known, until=until)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            mechanisms = Mechanisms(
                self.wiring,
                num_context=links.context(panel).width,
                hidden=self.budget.hidden,
            )
            prepared = prepare(panel, self.graph, links, at=until, mechanisms=None)
            seen = prepared.seen_at(until)
            if closes(panel.schema):  # a closed series teaches nothing
                seen = seen & torch.from_numpy(open_before(panel, seen.shape[1]))[..., None]
            losses = fit_mechanisms(
                mechanisms,
                prepared.x_NTX[:, : until + 1],
                seen,
                prepared.context,
                noises=self.noises,
                budget=self.budget,
                generator=torch.Generator().manual_seed(self.seed),
            )
        self._forget()
        self._links, self.losses = links, losses
        self._mechanisms = mechanisms.eval().requires_grad_(False)
        self.fitted_until, self._fitted_on = until, ref(panel)
        u_NTJ, valid_NTJ = abducted(self._mechanisms, prepared, seen)
        self._tables = _quantiles(u_NTJ, valid_NTJ)
        return self

    def newcomers(self, panel: Panel) -> np.ndarray:
        """Series of which the fit saw nothing of some node that they have, [N] bool."""
        held = self._newcomers.get(panel)
        if held is None:
            held = self._links.newcomers(Dense.of(panel, self.graph))
            self._newcomers[panel] = held
        return held

    def prepare(self, panel: Panel, *, at: int | None = None) -> Prepared:
        """The panel as the layer reads it; kept as long as the panel lives.

        Only the centers of newcomers depend on ``at`` (None: the end of the fit): they are read
        from what is known at that step, whatever was asked before.
        """
        until = self.fitted_until
        if until is None:
            raise LeakageError(_UNFITTED)
        step = max(until, at) if at is not None and self.newcomers(panel).any() else until
        held = self._prepared.setdefault(panel, {})
        if step not in held:
            if len(held) >= _KEPT:
                held.pop(next(iter(held)))
            held[step] = prepare(
                panel, self.graph, self._links, at=step, mechanisms=self.mechanisms
            )
        return held[step]

    def reference_history(self, panel: Panel, *, at: int | None = None) -> Tensor:
        """The panel had every treatment been at its reference, same noise; [N, T, X] link space."""
        prepared = self.prepare(panel, at=at)
        held = self._references.get(panel)
        if held is None or held[0]() is not prepared:
            do = self.reference_levels()
            held = (ref(prepared), replayed(self.mechanisms, prepared, self.graph, do=do))
            self._references[panel] = held
        return held[1]

    def _forget(self) -> None:
        """Drop what was made of panels under other mechanisms."""
        self._newcomers: WeakKeyDictionary[Panel, np.ndarray] = WeakKeyDictionary()
        self._prepared: WeakKeyDictionary[Panel, dict[int, Prepared]] = WeakKeyDictionary()
        self._references: WeakKeyDictionary[Panel, tuple[ref[Prepared], Tensor]] = (
            WeakKeyDictionary()
        )

    def __getstate__(self) -> dict[str, Any]:
        """For another process: without what was made of the panels of this one."""
        caches = ("_newcomers", "_prepared", "_references")
        kept = {name: value for name, value in vars(self).items() if name not in caches}
        return kept | {"_fitted_on": None}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take up what `__getstate__` kept."""
        vars(self).update(state)
        self._forget()

    def __deepcopy__(self, memo: dict[int, Any]) -> CausalLayer:
        """A layer of its own that knows what this one was fitted on and has made of panels."""
        twin = CausalLayer.__new__(CausalLayer)
        twin.__setstate__(deepcopy(self.__getstate__(), memo))
        twin._fitted_on = self._fitted_on
        twin._newcomers, twin._references = self._newcomers.copy(), self._references.copy()
        for panel, held in self._prepared.items():  # a preparation is never changed
            twin._prepared[panel] = dict(held)
        return twin

    def reference_levels(self) -> dict[str, float | None]:
        """Each treatment's value of no action; None is the series' own typical level."""
        return {name: self.graph.nodes[name].reference for name in self.graph.treatments}

    def with_mechanisms(self, mechanisms: Mechanisms) -> CausalLayer:
        """The same layer with other weights; this one stays as it is."""
        twin = copy(self)
        twin._mechanisms, twin._fitted_on = mechanisms, None
        twin._forget()
        return twin

    def save(self, folder: Path) -> None:
        """Weights and tables as tensors, everything else as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {
            "mechanisms": self.mechanisms.state_dict(),
            "center": torch.from_numpy(self._links.center_MJ),
            "scale": torch.from_numpy(self._links.scale_J),
            "profile": torch.from_numpy(self._links.profile_MPK),
            "restless": torch.from_numpy(self._links.restless_MK),
            "tables": torch.from_numpy(np.asarray(self._tables)),
        }
        save_tensors(folder / "causal", state)
        facts = {
            "dag_hash": self.graph.dag_hash,
            "plan": asdict(self.budget),
            "num_context": self.mechanisms.context.shape[1],
            "links": self._links.facts(),
            "losses": self.losses,
            "fitted_until": self.fitted_until,
        }
        (folder / "causal.json").write_text(json.dumps(facts, indent=1))

    def load(self, folder: Path) -> Self:
        """Take up what `save` wrote; CheckpointError if it is of another graph."""
        path = folder / "causal.json"
        if not path.is_file():
            raise CheckpointError(f"{path} does not exist; was this run trained with a dag?")
        facts: dict[str, Any] = json.loads(path.read_text())
        if facts["dag_hash"] != self.graph.dag_hash:
            raise CheckpointError(
                f"{path} was fitted under DAG {facts['dag_hash']}, this config declares"
                f" {self.graph.dag_hash}; use the run's own config: run=<run folder>"
            )
        state: Mapping[str, Any] = load_tensors(folder / "causal")
        budget = FitBudget(**facts["plan"])
        mechanisms = Mechanisms(self.wiring, num_context=facts["num_context"], hidden=budget.hidden)
        mechanisms.load_state_dict(state["mechanisms"])
        self._mechanisms = mechanisms.eval().requires_grad_(False)
        self._links = LinkSpace.restore(self.graph, facts["links"], state)
        self._tables = state["tables"].numpy()
        self.losses, self.fitted_until = facts["losses"], facts["fitted_until"]
        self._fitted_on = None
        self._forget()
        return self


def _quantiles(u_NTJ: Tensor, valid_NTJ: Tensor) -> np.ndarray:
    """Standardized residual quantiles of each node at `GRID`, [J, len(GRID)]."""
    quantiles = []
    for node in range(u_NTJ.shape[-1]):
        values = u_NTJ[..., node][valid_NTJ[..., node]].numpy()
        quantiles.append(np.quantile(values, GRID) if len(values) else np.zeros(len(GRID)))
    return np.stack(quantiles).astype(np.float32)
