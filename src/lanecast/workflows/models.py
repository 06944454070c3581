"""The verb *models*: every file of ``conf/model`` as a row, from what the model says of itself."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.config.composing import composed_roots, packaged_conf, running_conf
from lanecast.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

COSTS = "costs.json"  # in lanecast.models; `python -m benchmarks.costs` measures it anew
# A model of sums asks what adds up, and says the same of itself whatever that is.
WITH_SUMS = "hierarchy=as_is"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model by name.  ``kind`` is the room of `lanecast.models`, or the package, of its class.

    reads: the covariates it can be given: known_future, observed, static.
    quantiles: where its intervals come from, as in `lanecast.models.protocol.Capabilities`.
    cost: seconds of a fit and a forecast over those of seasonal_naive; None where not measured.
    missing: why it cannot be built here, as where a package is not installed.
    """

    name: str
    kind: str
    reads: tuple[str, ...] = ()
    quantiles: str = ""
    cost: float | None = None
    missing: str | None = None


def run(cfg: DictConfig) -> list[ModelRow]:
    """Print the table."""
    only = None if cfg.get("only") is None else [str(name) for name in cfg.only]
    rows = model_rows(running_conf(), only=only)
    _print(rows)
    return rows


def model_rows(conf: Path | None = None, *, only: Sequence[str] | None = None) -> list[ModelRow]:
    """Every model of ``conf`` and of lanecast's own, sorted by kind and cost."""
    folder = packaged_conf() if conf is None else conf
    files = [*(folder / "model").glob("*.yaml"), *(packaged_conf() / "model").glob("*.yaml")]
    known = sorted({file.stem for file in files if not file.stem.startswith("_")})
    names = known if only is None else list(only)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2)
            raise ConfigError(
                f"there is no model {name!r}; "
                + (f"did you mean {' or '.join(near)}?" if near else f"there are {known}")
            )
    rows = [_row(name, model) for name, model in zip(names, _composed(folder, names), strict=True)]
    return sorted(rows, key=lambda row: (row.kind, row.cost or float("inf"), row.name))


@cache
def measured_costs() -> dict[str, Any]:
    """What ``python -m benchmarks.costs`` measured: the case, and each model's cost."""
    costs: dict[str, Any] = json.loads(files("lanecast.models").joinpath(COSTS).read_text("utf-8"))
    return costs


def _composed(folder: Path, names: Sequence[str]) -> Iterator[DictConfig]:
    """The config of each model, within what it reads of a pipeline; alone a file composes fast."""
    from omegaconf import open_dict

    (pipeline,) = composed_roots(folder, "train", [[WITH_SUMS]])
    for name in names:
        (alone,) = composed_roots(folder, f"model/{name}", [[]])
        with open_dict(pipeline):
            pipeline.model = alone.model
        yield pipeline.model


def _row(name: str, model: DictConfig) -> ModelRow:
    from lanecast.config import instantiate
    from lanecast.data.schema import Role

    kind = _kind(str(model._target_))
    try:
        facts = instantiate(model).describe()
    except (ConfigError, ImportError) as missing:
        return ModelRow(name=name, kind=kind, missing=str(missing))
    return ModelRow(
        name=name,
        kind=kind,
        reads=tuple(role.value for role in Role if role in facts.uses and role is not Role.TARGET),
        quantiles=facts.quantiles,
        cost=measured_costs()["relative"].get(name),
    )


def _kind(target: str) -> str:
    """``deep`` of lanecast.models.deep.forecaster.DeepForecaster, ``theirs`` of theirs.Model."""
    return target.removeprefix("lanecast.models.").split(".")[0]


def _print(rows: Sequence[ModelRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    covariates = ("known_future", "observed", "static")
    for heading in ("model", "kind", *covariates, "intervals from"):
        table.add_column(heading.replace("_", " "))
    table.add_column("cost", justify="right")
    for row in rows:
        marks = ["yes" if role in row.reads else "-" for role in covariates]
        cells = [*marks, row.quantiles] if row.missing is None else ["?"] * 4
        table.add_row(row.name, row.kind, *cells, _shown(row.cost))
    Console().print(table)
    print(f"\ncost: {measured_costs()['case']}")
    for row in rows:
        if row.missing is not None:
            print(f"\n{row.name}: {row.missing}")


def _shown(cost: float | None) -> str:
    """One digit: a clock of another machine would not repeat the second."""
    return "" if cost is None else f"{float(f'{cost:.1g}'):,.0f}"
