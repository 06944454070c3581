"""A Bayesian search over overrides: its space, its study on disk, and what a trial may report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    RangeSweep,
)

from lanecast.cli.journal import keep_whole_lines
from lanecast.errors import ConfigError

STALE = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """Distributions by key (``+`` included) and the overrides that every trial shares."""

    swept: Mapping[str, Any]
    fixed: tuple[str, ...]

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """Return the command line of one trial; its folder may hold it, finished, from before."""
        chosen = [f"{key}={params[key]}" for key in self.swept]
        return [*self.fixed, *chosen, "skip_finished=true"]

    def name(self, direction: str) -> str:
        """Name the study: another space, other fixed overrides or direction make another one."""
        space = {key: repr(distribution) for key, distribution in sorted(self.swept.items())}
        text = json.dumps([space, sorted(self.fixed), direction])
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def search_space(overrides: Sequence[Override]) -> SearchSpace:
    """Read ``a,b``, ``choice()``, ``range()`` and ``interval()`` as what is searched.

    ``tag(log,interval(1e-4,1e-2))`` is searched by its logarithm, ``int(interval(1,9))`` over
    whole numbers.
    """
    swept: dict[str, Any] = {}
    fixed: list[str] = []
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            swept[key] = _distribution(override)
        elif key != "skip_finished":
            fixed.append(f"{key}={override.get_value_element_as_str()}")
    if not swept:
        raise ConfigError(
            "hydra/sweeper=bayes has nothing to search; give at least one of key=a,b, "
            "key=range(1,9) or 'key=tag(log,interval(1e-4,1e-2))'"
        )
    return SearchSpace(swept=swept, fixed=tuple(fixed))


def _distribution(override: Override) -> Any:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        low, high, log = sweep.start, sweep.end, "log" in sweep.tags
        if low is None or high is None or low >= high or (log and low <= 0):
            above = " and above 0 for log" if log else ""
            raise ConfigError(
                f"{override.input_line}: an interval needs its first number below its second{above}"
            )
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)
    if isinstance(sweep, RangeSweep) and isinstance(sweep.range(), range):
        steps = sweep.range()
        assert isinstance(steps, range)
        if len(steps) > 1 and steps.step > 0:
            return IntDistribution(steps[0], steps[-1], step=steps.step)
    assert isinstance(sweep, (ChoiceSweep, RangeSweep)) or override.is_sweep_override()
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def open_study(path: Path, *, name: str, direction: str) -> Any:
    """Open or resume the study kept in the journal file ``path``."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if direction not in ("minimize", "maximize"):
        raise ConfigError(f"hydra.sweeper.direction={direction!r} is neither minimize nor maximize")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    keep_whole_lines(path)
    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="minimize" if direction == "minimize" else "maximize",
        load_if_exists=True,
    )


def requeue_stale(study: Any) -> int:
    """Ask again for the trials that an interrupted sweep left running; return how many."""
    from optuna.trial import TrialState

    stale = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in stale:
        study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
        study._storage.set_trial_user_attr(trial._trial_id, STALE, True)
        study.tell(trial.number, state=TrialState.FAIL)
    return len(stale)


def told_trials(study: Any) -> list[Any]:
    """Return the trials that ran to an end, good or bad, in order."""
    from optuna.trial import TrialState

    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
    return [trial for trial in ended if STALE not in trial.user_attrs]


def validated_objective(folder: Path) -> float | None:
    """Return the objective of a completed job, which must be ``val/*``; None of a failed one."""
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    objective = record.get("objective") or {}
    if record.get("status") != "completed" or objective.get("value") is None:
        return None
    name = str(objective.get("name"))
    if not name.startswith("val/"):
        raise ConfigError(
            f"hydra/sweeper=bayes may not choose by {name}: a search that reads test numbers "
            "makes them validation numbers; sweep train, and backtest the winner once"
        )
    return float(objective["value"])


def undefined_objective(folder: Path) -> str | None:
    """The name of the objective of a completed job that has no value; None of any other job."""
    try:
        record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    objective = record.get("objective") or {}
    undefined = record.get("status") == "completed" and objective.get("value") is None
    return str(objective["name"]) if undefined and objective.get("name") else None


def nothing_to_choose(trials: Sequence[Any], path: Path) -> ConfigError:
    """Why a search without a single value names no best trial."""
    names = [trial.user_attrs.get("undefined") for trial in trials]
    undefined = [name for name in names if name is not None]
    if not undefined:
        return ConfigError(
            f"all {len(trials)} trials failed, so that there is no best one; see {path} and the"
            " records of the jobs"
        )
    return ConfigError(
        f"{undefined[0]} is undefined in {len(undefined)} of {len(trials)} trials, and none has a"
        f" value, so that there is no best one (see {path}): are the targets of the validation"
        " steps all 0 or missing? choose optim.objective=val/mse, or other optim.val_steps"
    )
