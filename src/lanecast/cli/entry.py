"""Hydra around a verb, with clear errors, honest exit codes and clean stops."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import hydra
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lanecast.cli.arguments import names_as_typed, require_launcher
from lanecast.cli.folders import ConfFolders
from lanecast.cli.trusting import check_trust, granted, trust_of_children
from lanecast.config.found import refuse_hydra_settings
from lanecast.config.recipe import check_targets, omegaconf_message
from lanecast.config.recorded import OF_THIS_CALL, effective_config, invocation
from lanecast.config.threads import calm_threads, one_thread_per_worker
from lanecast.config.trust import trusting
from lanecast.errors import ConfigError, LanecastError
from lanecast.runs.contents import doubts
from lanecast.runs.stopping import RunInterrupted, interruptible, signal_behind, sigterm_raises
from lanecast.runs.sweep import SweepJob, end_of_sweep, failed_jobs, summary

if TYPE_CHECKING:
    from lanecast.runs.record import Objective

log = logging.getLogger(__name__)

# Options of Hydra whose value is the next word.
WITH_VALUE = frozenset(
    {"--cfg", "-c", "--package", "-p", "--info", "-i", "--config-path", "-cp", "--config-name"}
    | {"-cn"}
)
RERUN = "--experimental-rerun"
Verb = Callable[[DictConfig], Any]
FINISHED = "lanecast.workflows.finished:finished_objective"


class Job:
    """What Hydra runs for each job, in this process or another: plain data that can be sent.

    Hydra takes the name of a job from ``__module__``; the functions of a verb are found when it
    runs, so that nothing heavy is imported before.
    """

    def __init__(self, root: str, run: str | Verb, *, trust: Sequence[str], argv: list[str]):
        self.__module__ = root
        self.run = run
        self.trust = tuple(trust)
        self.argv = argv
        self.failures: list[Exception] = []

    def __call__(self, cfg: DictConfig) -> float | None:
        """Run the verb; a sweep compares what it returns."""
        try:
            with interruptible(), trusting(self.trust), trust_of_children(self.trust):
                return self._run(cfg)
        except Exception as failure:
            self.failures.append(failure)
            settings = invocation().hydra
            if isinstance(failure, LanecastError) and settings and not settings.callbacks:
                return None  # no record is to be closed, and Hydra would print the overrides
            raise

    def __getstate__(self) -> dict[str, Any]:
        """What went wrong here is nothing for another process."""
        return {**self.__dict__, "failures": []}

    def _run(self, cfg: DictConfig) -> float | None:
        check_trust(cfg, self.trust)
        cfg = effective_config(cfg)
        check_targets(cfg)
        output = OmegaConf.select(cfg, "paths.output")
        if cfg.get("skip_finished") and output is not None:  # an audit of such a run has no folder
            value = _function(FINISHED)(cfg)
            if value is not None:
                return value
        if _is_sweep():
            _refuse_processes(cfg)
        else:
            sys.argv[1:] = self.argv  # Lightning starts further processes with this command line
        changed = doubts(Path(str(cfg.run))) if cfg.get("run") is not None else []
        for line in changed:
            log.warning(line)
        try:
            return objective_of(_function(self.run)(cfg))
        except Exception as failure:
            if not changed or isinstance(failure, (LanecastError, RunInterrupted)):
                raise
            reason = (str(failure).splitlines() or [type(failure).__name__])[0]
            raise ConfigError(
                f"{changed[0]}, and nothing can be done with it ({reason}); put it back from a"
                " copy, or repeat the run"
            ) from failure


@runtime_checkable
class Judged(Protocol):
    """What a verb returns where one number says how good it is."""

    @property
    def objective(self) -> Objective:
        """That number."""
        ...


def objective_of(result: object) -> float | None:
    """The number of a job, where what its verb returned has one."""
    if isinstance(result, Judged):
        return result.objective.value
    return float(result) if isinstance(result, (int, float)) else None


def launch(
    run: str | Verb, argv: Sequence[str], *, root: str, folders: ConfFolders, compare: str
) -> int:
    """Run the verb on ``conf/<root>.yaml`` under these overrides; return the exit code.

    ``compare``: how the verb *compare* is called from where this one was.
    """
    calm_threads()
    one_thread_per_worker(list(argv))
    words = sys.argv[1:]
    try:
        refuse_rerun(argv)
        trust, overrides = granted(argv, root=root, folders=folders)
        require_launcher(overrides)
        overrides = names_as_typed(as_overrides(overrides, folders, root))
        overrides = overrides_first(overrides)
        overrides = _lenient_where_recorded(overrides, folders)
        if folders.by_itself and folders.is_own:
            refuse_hydra_settings(folders.main)
    except ConfigError as wrong:
        _say(f"error: {wrong}")
        return 2
    sys.argv[1:] = overrides
    job = Job(root, run, trust=trust, argv=words)
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        code = _run_hydra(job, overrides, root=root, folders=folders, full=full)
    finally:
        sys.argv[1:] = words
    sweep = end_of_sweep()
    if sweep is not None:
        return _sum_up(sweep, code, compare=compare)
    if code is not None or not job.failures:
        return code or 0
    if not full:
        return _report(job.failures[-1])
    traceback.print_exception(job.failures[-1])
    return 1


def _sum_up(sweep: list[SweepJob], code: int | None, *, compare: str) -> int:
    """Say how a sweep ended, whatever ran its jobs; return the exit code."""
    failed = failed_jobs(sweep)
    if failed:
        _say(failed)
    if line := summary(sweep, compare=compare):
        print(line, flush=True)
    return int(failed is not None) if code is None else code


def _run_hydra(
    job: Job, overrides: list[str], *, root: str, folders: ConfFolders, full: bool
) -> int | None:
    """Run Hydra; return the exit code of what went wrong outside the jobs, or None.

    Hydra would print and exit itself, but for this variable.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        with sigterm_raises():
            hydra.main(version_base="1.3", config_path=str(folders.main), config_name=root)(job)()
    except KeyboardInterrupt as stop:
        signum = signal_behind(stop) or signal.SIGINT
        _say("interrupted; the record of the running job says so")
        return 128 + signum
    except RunInterrupted as stop:  # of a verb that keeps no record
        _say(str(stop))
        return 128 + stop.signum
    except Exception as failure:
        if full:
            traceback.print_exc()
            return 1
        if failure in job.failures:
            return _report(failure)
        return _report_before_job(failure, overrides, root=root, folders=folders)
    finally:
        if not full:
            os.environ.pop("HYDRA_FULL_ERROR", None)
    return None


def _function(run: str | Verb) -> Verb:
    if not isinstance(run, str):
        return run
    module, _, name = run.partition(":")
    function: Verb = getattr(importlib.import_module(module), name)
    return function


def _is_sweep() -> bool:
    settings = invocation().hydra
    return settings is not None and settings.mode == RunMode.MULTIRUN


def _refuse_processes(cfg: DictConfig) -> None:
    """Lightning starts further processes with this command line: each would run the whole sweep."""
    devices = OmegaConf.select(cfg, "trainer.devices", default=1)
    if devices != 1:
        raise ConfigError(
            f"trainer.devices={devices} does not work with -m: each further process would start"
            " the sweep again; start one command per job, or set trainer.devices=1"
        )


def _report(failure: Exception) -> int:
    if isinstance(failure, LanecastError):
        _say(f"error: {failure}")
        return 2 if isinstance(failure, ConfigError) else 1
    traceback.print_exception(failure)
    return 1


def _report_before_job(
    failure: Exception, overrides: Sequence[str], *, root: str, folders: ConfFolders
) -> int:
    """Explain what went wrong while the config was composed or the run folder was made."""
    inner: BaseException | None = failure
    while inner is not None:
        if isinstance(inner, LanecastError):
            _say(f"error: {inner}")
            return 2
        inner = inner.__cause__
    if isinstance(failure, (HydraException, OverrideParseException)):
        words = [text for text in overrides if not text.startswith("-")]
        _say(f"error: {explain_refusal(folders, root, words, failure)}")
        return 2
    if isinstance(failure, OmegaConfBaseException):
        _say(f"error: {omegaconf_message(failure)}")
        return 2
    if isinstance(failure, OSError):
        _say(
            f"error: cannot write the run folder {failure.filename or ''} ({failure.strerror}); "
            "free space or point paths.runs=<folder> to a place you may write"
        )
        return 1
    traceback.print_exception(failure)
    return 1


def explain_refusal(
    folders: ConfFolders, root: str, overrides: list[str], failure: Exception
) -> str:
    """Explain, or repeat Hydra's words where explaining is not possible."""
    from lanecast.cli.explain import explain

    try:
        return explain(folders, root, overrides, failure)
    except Exception:
        return str(failure) or repr(failure.__cause__)


def _lenient_where_recorded(argv: list[str], folders: ConfFolders) -> list[str]:
    """With ``run=``, let Hydra accept any key: it is checked against the recorded config instead.

    The model of the recorded run has other keys than the default model of today's ``conf/``.
    """
    if not any(text.startswith("run=") and text != "run=null" for text in argv):
        return argv
    return [f"++{text}" if _is_recorded_value(text, folders) else text for text in argv]


def refuse_rerun(argv: Sequence[str]) -> None:
    """ConfigError for Hydra's own repetition of a job, which unpickles the file it is given."""
    if any(text.partition("=")[0] == RERUN for text in argv):
        raise ConfigError(
            f"{RERUN} reads a pickle, which could run code; repeat a run with run=<run folder>"
        )


def as_overrides(argv: Sequence[str], folders: ConfFolders, root: str) -> list[str]:
    """``--fail-if-worse-than <run>`` as ``fail_if_worse_than=<run>``, for every key of the root."""
    source = folders.root(root).read_text(encoding="utf-8")
    keys = {line.partition(":")[0] for line in source.splitlines()}
    overrides, rest = [], list(argv)
    while rest:
        text = rest.pop(0)
        key, equals, value = text.removeprefix("--").partition("=")
        if text.startswith("--") and key.replace("-", "_") in keys and (equals or rest):
            overrides.append(f"{key.replace('-', '_')}={value if equals else rest.pop(0)}")
        else:
            overrides.append(text)
    return overrides


def overrides_first(argv: Sequence[str]) -> list[str]:
    """Hydra's parser wants the overrides in one piece, a person may write -m between them."""
    overrides: list[str] = []
    options: list[str] = []
    for before, text in zip(["", *argv], argv, strict=False):
        if text.startswith("-") or (before in WITH_VALUE and "=" not in text):
            options.append(text)
        else:
            overrides.append(text)
    return [*overrides, *options]


def _is_recorded_value(text: str, folders: ConfFolders) -> bool:
    key, equals, _ = text.partition("=")
    root = key.split(".")[0]
    return (
        bool(equals)
        and key[:1].isalpha()
        and root not in (*OF_THIS_CALL, "protocol", "hydra")
        and not folders.has_group(key)
        and not key.startswith("hydra/")
    )


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
