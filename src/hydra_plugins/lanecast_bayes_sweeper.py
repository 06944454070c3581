"""``hydra/sweeper=bayes``: a multirun that chooses its jobs by TPE, over optuna's ask and tell.

The published sweeper wants optuna < 3.  Hydra accepts plugins from this namespace package only,
and runs this file before it stands in ``sys.modules``: no annotations from the future here.
"""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

log = logging.getLogger(__name__)


@dataclass
class BayesSweeperConf:
    """``trials`` in all, also over resumed calls; ``batch`` of them side by side."""

    _target_: str = "hydra_plugins.lanecast_bayes_sweeper.BayesSweeper"
    trials: int = 20
    batch: int = 1
    seed: int = 1
    startup: int = 10
    direction: str = "minimize"


class BayesSweeper(Sweeper):
    """Asks for a batch, launches it, tells; the study lies in the sweep's folder."""

    def __init__(self, trials: int, batch: int, seed: int, startup: int, direction: str) -> None:
        self.trials, self.batch, self.seed = trials, batch, seed
        self.startup, self.direction = startup, direction
        self.config: Any = None
        self.hydra_context: Any = None
        self.launcher: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Build the launcher that runs each batch."""
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> float | None:
        """Run what is missing of ``trials``; return the best value."""
        from lanecast.cli.search import open_study, requeue_stale, search_space, told_trials

        self._refuse()
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        space = search_space(parser.parse_overrides(arguments))
        folder = Path(str(self.config.hydra.sweep.dir)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        study = open_study(
            folder / "bayes.journal", name=space.name(self.direction), direction=self.direction
        )
        again, number = requeue_stale(study), len(told_trials(study))
        if number or again:
            log.info("resumed: %d trials have ended, %d were interrupted", number, again)
        while number < self.trials:
            self._run_batch(study, space, min(self.batch, self.trials - number), number)
            number = len(told_trials(study))
        return self._sum_up(study, folder)

    def _refuse(self) -> None:
        from lanecast.errors import ConfigError

        if self.trials < 1 or self.batch < 1:
            raise ConfigError("hydra.sweeper.trials and hydra.sweeper.batch must be at least 1")
        verb = self.config.get("verb")
        if verb != "train":
            raise ConfigError(
                f"hydra/sweeper=bayes reads val/* only, and {verb} reports other numbers; "
                "sweep train, and backtest the winner once"
            )

    def _run_batch(self, study: Any, space: Any, size: int, number: int) -> None:
        """Ask for ``size`` trials; equal ones are one job."""
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        from lanecast.cli.search import undefined_objective, validated_objective

        # Seeded by the number of trials told, so that a resumed sweep asks what it would have.
        study.sampler = TPESampler(
            seed=self.seed + 1000003 * number,
            n_startup_trials=self.startup,
            constant_liar=True,
        )
        trials = [study.ask(fixed_distributions=dict(space.swept)) for _ in range(size)]
        jobs = [tuple(space.overrides(trial.params)) for trial in trials]
        distinct = list(dict.fromkeys(jobs))
        self.validate_batch_is_legal([list(job) for job in distinct])
        returned = self.launcher.launch([list(job) for job in distinct], initial_job_idx=number)
        by_job = dict(zip(distinct, returned, strict=True))
        for trial, job in zip(trials, jobs, strict=True):
            output = Path(str(by_job[job].hydra_cfg.hydra.runtime.output_dir))
            value = validated_objective(output)
            trial.set_user_attr("folder", f"{output.parent.name}/{output.name}")
            if value is None:
                if (name := undefined_objective(output)) is not None:
                    trial.set_user_attr("undefined", name)
                study.tell(trial, state=TrialState.FAIL)
            else:
                study.tell(trial, value)

    def _sum_up(self, study: Any, folder: Path) -> float | None:
        from lanecast.cli.search import nothing_to_choose, told_trials
        from lanecast.report.importance import importance_figure, write_trials
        from lanecast.report.pictures import picture_or_warning

        trials = told_trials(study)
        write_trials(trials, folder / "trials.csv")
        good = [trial for trial in trials if trial.value is not None]
        if not good:
            raise nothing_to_choose(trials, folder / "trials.csv")
        best = study.best_trial
        chosen = " ".join(f"{key}={value}" for key, value in best.params.items())
        lost = f"{len(trials) - len(good)} failed"
        if undefined := sum("undefined" in trial.user_attrs for trial in trials):
            lost += f", {undefined} of them with an undefined objective"
        log.info(
            "best of %d trials (%s): %.6g with %s; see %s",
            len(trials), lost, best.value, chosen, folder / "trials.csv",
        )  # fmt: skip
        picture = partial(importance_figure, study)
        picture_or_warning(folder / "importance.png", picture, log.warning)
        return float(best.value)


ConfigStore.instance().store(
    group="hydra/sweeper", name="bayes", node=BayesSweeperConf, provider="lanecast"
)
