"""The scripts' entry: Hydra around a verb, with clear errors, honest exit codes and clean stops."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lanecast.cli.help import help_text
from lanecast.config.recipe import check_targets, omegaconf_message
from lanecast.config.recorded import OF_THIS_CALL, effective_config, invocation
from lanecast.config.threads import calm_threads, one_thread_per_worker
from lanecast.errors import ConfigError, LanecastError
from lanecast.runs.stopping import RunInterrupted, interruptible, signal_behind, sigterm_raises
from lanecast.runs.sweep import Job, end_of_sweep, failed_jobs, summary

Verb = Callable[[DictConfig], Any]


def main(root: str) -> Callable[[Verb], Callable[[], None]]:
    """Make ``task`` the main function of a script, configured by ``conf/<root>.yaml``."""

    def decorate(task: Verb) -> Callable[[], None]:
        """Wrap ``task``; the script's folder says where ``conf/`` is."""
        conf = Path(inspect.getfile(task)).resolve().parent.parent / "conf"
        failures: list[Exception] = []

        @functools.wraps(task)
        def job(cfg: DictConfig) -> Any:
            try:
                with interruptible():
                    return _run(task, cfg)
            except Exception as failure:
                failures.append(failure)
                if _is_recorded() or isinstance(failure, RunInterrupted):
                    raise
                return None  # Hydra would print a line of its own; the failure is told at the end

        def command() -> None:
            if {"--help", "-h"} & set(sys.argv[1:]):
                print(help_text(conf, root))
                return
            calm_threads()
            one_thread_per_worker(sys.argv[1:])
            full = os.environ.get("HYDRA_FULL_ERROR") == "1"
            sys.argv[1:] = _lenient_where_recorded(as_overrides(sys.argv[1:], conf, root), conf)
            sys.exit(_launch(job, conf=conf, root=root, failures=failures, full=full))

        functools.update_wrapper(command, task)
        return command

    return decorate


def _run(task: Verb, cfg: DictConfig) -> Any:
    cfg = effective_config(cfg)
    check_targets(cfg)
    output = OmegaConf.select(cfg, "paths.output")
    if cfg.get("skip_finished") and output is not None:  # an audit of such a run has no folder
        from lanecast.runs.record import finished_objective

        value = finished_objective(Path(str(output)))
        if value is not None:
            return value
    _refuse_sweep_of_processes(cfg)
    return task(cfg)


def _is_recorded() -> bool:
    """Whether a callback closes the job's record when it fails."""
    hydra_config = invocation().hydra
    return hydra_config is not None and bool(hydra_config.callbacks)


def _refuse_sweep_of_processes(cfg: DictConfig) -> None:
    """Lightning starts further processes with this command line: each would run the whole sweep."""
    devices = OmegaConf.select(cfg, "trainer.devices", default=1)
    asked = invocation().hydra
    if devices != 1 and asked is not None and asked.mode == RunMode.MULTIRUN:
        raise ConfigError(
            f"trainer.devices={devices} does not work with -m: each further process would start the"
            " sweep again; start one command per job, or set trainer.devices=1"
        )


def _launch(job: Verb, *, conf: Path, root: str, failures: list[Exception], full: bool) -> int:
    """Run Hydra, and sum up where it was a sweep; return the exit code."""
    code = _run_hydra(job, conf=conf, root=root, failures=failures, full=full)
    jobs = end_of_sweep()
    if jobs is not None:
        return _sum_up(jobs, code)
    if code is not None or not failures:
        return code or 0
    if not full:
        return _report(failures[-1])
    traceback.print_exception(failures[-1])
    return 1


def _sum_up(jobs: list[Job], code: int | None) -> int:
    """Say how a sweep ended, whatever ran its jobs; return the exit code."""
    failed = failed_jobs(jobs)
    if failed:
        _say(failed)
    if line := summary(jobs, program=Path(sys.argv[0])):
        print(line, flush=True)
    return int(failed is not None) if code is None else code


def _run_hydra(
    job: Verb, *, conf: Path, root: str, failures: list[Exception], full: bool
) -> int | None:
    """Run Hydra; return the exit code of what went wrong outside the jobs, or None.

    Hydra would print and exit itself, but for this variable.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        with sigterm_raises():
            hydra.main(version_base="1.3", config_path=str(conf), config_name=root)(job)()
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
        if failure in failures:
            return _report(failure)
        return _report_before_job(failure, conf=conf, root=root)
    finally:
        if not full:
            os.environ.pop("HYDRA_FULL_ERROR", None)
    return None


def _report(failure: Exception) -> int:
    if isinstance(failure, LanecastError):
        _say(f"error: {failure}")
        return 2 if isinstance(failure, ConfigError) else 1
    traceback.print_exception(failure)
    return 1


def _report_before_job(failure: Exception, *, conf: Path, root: str) -> int:
    """Explain what went wrong while the config was composed or the run folder was made."""
    inner: BaseException | None = failure
    while inner is not None:
        if isinstance(inner, LanecastError):
            _say(f"error: {inner}")
            return 2
        inner = inner.__cause__
    if isinstance(failure, (HydraException, OverrideParseException)):
        overrides = [text for text in sys.argv[1:] if not text.startswith("-")]
        _say(f"error: {explain_refusal(conf, root, overrides, failure)}")
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


def explain_refusal(conf: Path, root: str, overrides: list[str], failure: Exception) -> str:
    """Explain, or repeat Hydra's words where explaining is not possible."""
    from lanecast.cli.explain import explain

    try:
        return explain(conf, root, overrides, failure)
    except Exception:
        return str(failure) or repr(failure.__cause__)


def _lenient_where_recorded(argv: list[str], conf: Path) -> list[str]:
    """With ``run=``, let Hydra accept any key: it is checked against the recorded config instead.

    The model of the recorded run has other keys than the default model of ``conf/``.
    """
    if not any(text.startswith("run=") and text != "run=null" for text in argv):
        return argv
    return [f"++{text}" if _is_recorded_value(text, conf) else text for text in argv]


def as_overrides(argv: list[str], conf: Path, root: str) -> list[str]:
    """``--fail-if-worse-than <run>`` as ``fail_if_worse_than=<run>``, for every key of the root."""
    keys = {line.partition(":")[0] for line in (conf / f"{root}.yaml").read_text().splitlines()}
    found, rest = [], list(argv)
    while rest:
        text = rest.pop(0)
        key, equals, value = text.removeprefix("--").partition("=")
        if text.startswith("--") and key.replace("-", "_") in keys and (equals or rest):
            found.append(f"{key.replace('-', '_')}={value if equals else rest.pop(0)}")
        else:
            found.append(text)
    return found


def _is_recorded_value(text: str, conf: Path) -> bool:
    key, equals, _ = text.partition("=")
    root = key.split(".")[0]
    return (
        bool(equals)
        and key[:1].isalpha()
        and root not in (*OF_THIS_CALL, "protocol", "hydra")
        and not (conf / key).is_dir()
        and not key.startswith("hydra/")
    )


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
