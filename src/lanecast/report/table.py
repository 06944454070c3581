"""Run folders in, one table out: seeds aggregated, paired differences to a baseline."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from lanecast.errors import ConfigError
from lanecast.evaluation.metrics import RATIOS
from lanecast.evaluation.significance import Contrast, contrast, model_confidence_set
from lanecast.report.pairing import by_cutoff, evidence_of, fits, rule, seeded, short_rule
from lanecast.report.recomputing import agreeing
from lanecast.report.versions import newest_of_each, versions_line
from lanecast.report.yardstick import yardstick_of
from lanecast.runs.reading import CompletedRun, read_runs

METRICS = ("wape", "bias", "mase", "wql", "coverage_80", "coverage_90", "seconds")
MORE = ("leakage", "plan_regret")  # in the CSV where a run has them: the review page shows them
MCS_WINDOWS = 5  # independent ones; below them a bootstrap over cutoffs says nothing
# A paired metric and the by-cutoff column that is its denominator.
PAIRED = MappingProxyType(
    {
        "wape": "sum_abs_y",
        "wql": "sum_abs_y",
        "mase": "num_scaled",
        "plan_regret": "plan_perfect",
        **dict.fromkeys(("mae", "mse", "coverage_80", "coverage_90"), "num_cells"),
    }
)
LOSSES = tuple(name for name in PAIRED if not name.startswith("coverage"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``table`` has one row per config, sorted by the first metric; ``by_run`` one per run.

    ``shown``: the columns for people, of which the first ``num_keys`` name the row.  ``notes`` say
    how to read the table and what is not in it; ``warnings`` what to know before it is read.
    ``rule``: how a verdict is made, in words (also among the notes).  ``runs``: those in the table.
    """

    table: pd.DataFrame
    by_run: pd.DataFrame
    shown: tuple[str, ...]
    num_keys: int
    notes: tuple[str, ...]
    runs: tuple[CompletedRun, ...] = ()
    warnings: tuple[str, ...] = ()
    rule: str = ""


def compare(
    runs: str | Sequence[str],
    *,
    factors: Mapping[str, str] | None = None,
    metrics: Sequence[str] = METRICS,
    baseline: str | None = None,
    confidence: float = 0.95,
    each_row: bool = False,
) -> Comparison:
    """One row per config hash: mean and standard deviation over seeds.

    ``runs``: folders or patterns with ``*`` and ``**``.  ``factors``: column name -> dotted config
    path (its value), or ``path=value`` (whether it has that value).  ``baseline``: a model's name
    or a config hash; None: the yardstick, the best plain row.  ``each_row``: ``confidence`` is that
    of every row by itself, as a gate needs it, and not of all rows together.  A run whose score is
    not that of its forecasts is left out.  ConfigError if the runs were not scored on the same
    labels.
    """
    read = read_runs(runs)
    agree = agreeing(read.runs, metrics)
    comparison = compare_runs(
        agree.runs,
        factors=factors,
        metrics=metrics,
        baseline=baseline,
        confidence=confidence,
        skipped=read.skipped,
        warnings=(*read.warnings, *agree.warnings),
        each_row=each_row,
    )
    return replace(comparison, notes=(*comparison.notes, *agree.notes))


def compare_runs(
    runs: Sequence[CompletedRun],
    *,
    factors: Mapping[str, str] | None = None,
    metrics: Sequence[str] = METRICS,
    baseline: str | None = None,
    confidence: float = 0.95,
    skipped: Sequence[tuple[Path, str]] = (),
    warnings: Sequence[str] = (),
    each_row: bool = False,
) -> Comparison:
    """As `compare`, of runs that are read already, or that never had a folder."""
    _check_metrics(metrics, runs)
    wanted = {name for name in metrics if name != "seconds"} or {"seconds"}
    kept = [run for run in runs if wanted & set(run.values)]
    blank = [(run.folder, "it holds none of the metrics") for run in runs if run not in kept]
    kept, older = newest_of_each(kept)
    blank += [
        (run.folder, f"made under semantics {run.semantics}, others of its row under {newest}")
        for run, newest in older
    ]
    versions = versions_line(kept)
    _check_same_labels(kept)
    columns, notes = _factor_columns(factors or {}, kept)
    groups: dict[str, list[CompletedRun]] = {}
    for run in sorted(kept, key=lambda run: run.seed):
        groups.setdefault(run.config_hash, []).append(run)
    more = [name for name in MORE if name not in metrics and any(map(_has(name), kept))]
    rows = [_row(members, columns, [*metrics, *more]) for members in groups.values()]
    rows.sort(key=lambda row: (math.isnan(row[metrics[0]]), row[metrics[0]]))
    if losses := [name for name in metrics if name in LOSSES]:
        yardstick = yardstick_of(rows, groups, losses[0])
        notes.append(yardstick.note)
        baseline = baseline or yardstick.config_hash
    difference: tuple[str, ...] = ()
    how = ""
    if baseline is not None:
        paired = _paired_metric(metrics)
        bases = [_baseline_of(row, rows, baseline, tuple(columns)) for row in rows]
        difference, num = _add_differences(rows, bases, groups, paired, confidence, each_row)
        notes.append(_how_paired(paired, baseline))
        how = rule(confidence, num, evidence_of(kept[0]))
        notes.append(how)
    notes += [f"Left out: {folder}: {why}." for folder, why in (*skipped, *blank)]
    deviations = tuple(f"{name}_sd" for name in metrics if name != "seconds")
    keys = ("model", *columns)
    order = (*keys, *metrics, *more, "num_runs", *deviations, *difference, "seeds", "hash", "runs")
    table = pd.DataFrame(rows)[list(order)]
    repeated = ("num_runs", *deviations[:1]) if (table["num_runs"] > 1).any() else ()
    by_run = [_run_row(run, columns, metrics) for row in rows for run in groups[row["hash"]]]
    return Comparison(
        table=table,
        by_run=pd.DataFrame(by_run),
        shown=(*keys, *metrics, *repeated, *difference[:1], *difference[4:7], "hash"),
        num_keys=len(keys),
        notes=tuple(notes),
        runs=tuple(kept),
        warnings=(*warnings, *([versions] if versions else [])),
        rule=how,
    )


def _has(name: str) -> Callable[[CompletedRun], bool]:
    return lambda run: not math.isnan(run.values.get(name, math.nan))


def _check_metrics(metrics: Sequence[str], runs: Sequence[CompletedRun]) -> None:
    """A column that no run has is nan if it is a metric of ours, and a typo otherwise."""
    if not metrics:
        raise ConfigError("metrics=[] leaves nothing to compare; name at least one metric")
    known = {name for run in runs for name in run.values} | set(RATIOS) | {"objective", "seconds"}
    for name in metrics:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise ConfigError(f"metrics: no run has {name!r}; {hint}")


def _check_same_labels(runs: Sequence[CompletedRun]) -> None:
    """ConfigError if two runs were scored on different labels: their numbers do not compare."""
    if not runs:
        raise ConfigError("none of the runs holds one of the metrics; backtest them, or ask others")
    by_labels = {run.scored: run for run in runs}
    if len(by_labels) > 1:
        raise ConfigError(
            "the runs were scored on different labels and cannot stand in one table: "
            + " against ".join(_scored_on(run) for run in by_labels.values())
            + "; narrow runs=, or score them with the same data, windows and protocol"
        )


def _scored_on(run: CompletedRun) -> str:
    if run.scored is None:
        return f"{run.folder} (trained, not backtested)"
    cutoffs = [row["cutoff"] for row in run.record["by_cutoff"]]
    return (
        f"{run.folder} ({len(cutoffs)} cutoffs from {cutoffs[0]} to {cutoffs[-1]},"
        f" {run.values.get('num_cells', math.nan):g} cells, labels {run.scored})"
    )


def _factor_columns(
    factors: Mapping[str, str], runs: Sequence[CompletedRun]
) -> tuple[dict[str, str], list[str]]:
    """The factors that at least one run has, and a note for each of the others."""
    columns, notes = {}, []
    for name, factor in factors.items():
        path = factor.partition("=")[0]
        if any(_at(run.record["config"], path) is not None for run in runs):
            columns[name] = factor
        else:
            notes.append(f"Column {name} is left out: no run has {path} in its config.")
    return columns, notes


def _at(config: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(config, Mapping) or key not in config:
            return None
        config = config[key]
    return config


def _factor(run: CompletedRun, factor: str) -> Any:
    path, equals, wanted = factor.partition("=")
    value = _at(run.record["config"], path)
    return str(value) == wanted if equals else value


def _row(
    members: list[CompletedRun], factors: Mapping[str, str], metrics: Sequence[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {"model": members[0].model}
    row |= {name: _factor(members[0], factor) for name, factor in factors.items()}
    for name in metrics:
        values = [float(run.values.get(name, math.nan)) for run in members]
        row[name] = float(np.mean(values))
        row[f"{name}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    row["num_runs"] = len(members)
    row["seeds"] = " ".join(str(run.seed) for run in members)
    row["hash"] = members[0].config_hash
    row["runs"] = " ".join(str(run.folder) for run in members)
    return row


def _how_paired(metric: str, baseline: str) -> str:
    return (
        f"{metric}_difference is the row minus its baseline ({baseline}), paired by cutoff; +- is"
        " half its interval. mcs_p above 0.1: in the 90% model confidence set, over cutoffs."
    )


def _run_row(
    run: CompletedRun, factors: Mapping[str, str], metrics: Sequence[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {"model": run.model}
    row |= {name: _factor(run, factor) for name, factor in factors.items()}
    row["seed"] = run.seed
    row |= {name: float(run.values.get(name, math.nan)) for name in metrics}
    return row | {"hash": run.config_hash, "run": str(run.folder)}


def _paired_metric(metrics: Sequence[str]) -> str:
    for name in metrics:
        if name in PAIRED:
            return name
    raise ConfigError(
        "baseline= needs a metric that pairs by cutoff; add one of these to metrics=:"
        f" {', '.join(PAIRED)}"
    )


def _baseline_of(
    row: dict[str, Any], rows: list[dict[str, Any]], baseline: str, factors: Sequence[str]
) -> dict[str, Any]:
    """The baseline's row: the one with the same factors where the baseline has several."""
    named = [
        candidate
        for candidate in rows
        if candidate["model"] == baseline or candidate["hash"].startswith(baseline)
    ]
    if not named:
        models = sorted({candidate["model"] for candidate in rows})
        near = difflib.get_close_matches(baseline, models, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"models: {', '.join(models)}"
        raise ConfigError(f"baseline={baseline} is no model or config hash of these runs; {hint}")
    alike = [
        candidate for candidate in named if all(candidate[name] == row[name] for name in factors)
    ]
    for candidates in ([row] if row in named else [], alike, named):
        if len(candidates) == 1:
            return candidates[0]
    hashes = ", ".join(candidate["hash"][:8] for candidate in named)
    raise ConfigError(
        f"baseline={baseline} names {len(named)} rows ({hashes}) and none is the one with the"
        f" factors of {row['model']} {row['hash'][:8]}; name the hash, or declare what differs in"
        " factors="
    )


def _add_differences(
    rows: list[dict[str, Any]],
    bases: list[dict[str, Any]],
    groups: Mapping[str, list[CompletedRun]],
    metric: str,
    confidence: float,
    each_row: bool,
) -> tuple[tuple[str, ...], int]:
    """Add to each row its difference to its baseline; the names of the new columns.

    The second answer: for how many rows together the intervals hold.
    """
    names = (f"{metric}_difference", "difference_low", "difference_high", "difference_p")
    contrasts = [
        None
        if row is base or not _made_alike(groups[row["hash"]], groups[base["hash"]])
        else _contrast(groups[row["hash"]], groups[base["hash"]], metric)
        for row, base in zip(rows, bases, strict=True)
    ]
    claims = sum(paired is not None and not paired.lacks for paired in contrasts)
    num = 1 if each_row else max(claims, 1)
    for row, base, paired in zip(rows, bases, contrasts, strict=True):
        values: tuple[float, ...] = (math.nan,) * 4
        verdict = ""
        if paired is not None:
            together = 1 if paired.lacks else num
            interval = paired.interval(confidence, rows=together)
            values = (paired.mean, *interval, paired.p(rows=together))
            verdict = paired.verdict(confidence, rows=together)
        row |= dict(zip(names, values, strict=True))
        loss = not metric.startswith("coverage")
        row["verdict"] = "different" if verdict in ("better", "worse") and not loss else verdict
        row["baseline"] = base["hash"]
        row["rule"] = short_rule(confidence, num, evidence_of(groups[base["hash"]][0]))
    for row, p in zip(rows, _best_set(rows, groups, metric), strict=True):
        row["mcs_p"] = p
    return (*names, "verdict", "mcs_p", "baseline", "rule"), num


def _best_set(
    rows: list[dict[str, Any]], groups: Mapping[str, list[CompletedRun]], metric: str
) -> Sequence[float]:
    """p-value of each row in the model confidence set; nan with fewer than `MCS_WINDOWS`."""
    members = [groups[row["hash"]] for row in rows]
    if not _made_alike(*members):
        return [math.nan] * len(rows)
    weight_C = by_cutoff(members[0], PAIRED[metric]).mean(axis=0)
    loss_MC = np.stack([by_cutoff(runs, metric).mean(axis=0) for runs in members])
    loss, known = not metric.startswith("coverage"), evidence_of(members[0][0])
    if not loss or known.windows < MCS_WINDOWS or not np.isfinite(loss_MC).all():
        return [math.nan] * len(rows)
    p_values: list[float] = model_confidence_set(
        loss_MC * weight_C / weight_C.mean(), block=known.lags + 1
    ).tolist()
    return p_values


def _made_alike(*groups: list[CompletedRun]) -> bool:
    """Whether all runs were made under the same rules."""
    return len({run.semantics for runs in groups for run in runs}) == 1


def _contrast(runs: list[CompletedRun], base: list[CompletedRun], metric: str) -> Contrast:
    """The labels are the same, hence the cutoffs and the weights are too."""
    return contrast(
        by_cutoff(fits(runs), metric),
        by_cutoff(fits(base), metric),
        by_cutoff(base, PAIRED[metric]).mean(axis=0),
        known=evidence_of(base[0]),
        seeded=(seeded(runs[0], metric), seeded(base[0], metric)),
    )
