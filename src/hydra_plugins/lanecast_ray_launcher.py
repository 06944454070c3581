"""``hydra/launcher=lanecast_ray``: each job of a multirun is a Ray task.

The published launcher wants cloudpickle < 3 and boto3, and cannot be installed beside Ray 2.60.
Hydra accepts plugins from this namespace package only, and runs this file before it stands in
``sys.modules``: a dataclass here cannot have annotations from the future.
"""

import importlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, filter_overrides, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

log = logging.getLogger(__name__)


@dataclass
class RayLauncherConf:
    """``num_cpus`` jobs run side by side; ``address`` joins a cluster instead of starting one."""

    _target_: str = "hydra_plugins.lanecast_ray_launcher.RayLauncher"
    address: str | None = "local"
    num_cpus: int | None = None
    cpus_per_job: float = 1
    gpus_per_job: float = 0


class RayLauncher(Launcher):
    """Runs jobs as Ray tasks; the Ray it started ends with the batch."""

    def __init__(
        self, address: str | None, num_cpus: int | None, cpus_per_job: float, gpus_per_job: float
    ) -> None:
        self.address = address
        self.num_cpus = num_cpus
        self.resources = {"num_cpus": cpus_per_job, "num_gpus": gpus_per_job}
        self.config: Any = None
        self.hydra_context: Any = None
        self.task_function: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what each job needs."""
        self.config, self.hydra_context, self.task_function = config, hydra_context, task_function

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the batch and wait for it; the results stand in the order of the jobs."""
        from lanecast.pipeline.engines import CALM  # torch: Hydra imports each plugin at its start

        setup_globals()
        os.environ.update(CALM)
        ray: Any = importlib.import_module("ray")

        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        with_size = {"num_cpus": self.num_cpus} if self.address == "local" else {}
        ray.init(
            address=self.address,
            include_dashboard=False,
            configure_logging=False,
            log_to_driver=True,
            **with_size,
        )
        try:
            remote = ray.remote(max_retries=0, **self.resources)(_run_job)
            tasks = []
            for number, overrides in enumerate(job_overrides, initial_job_idx):
                log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
                tasks.append(
                    remote.remote(
                        number,
                        list(overrides),
                        self.hydra_context,
                        self.config,
                        self.task_function,
                        Singleton.get_state(),
                    )
                )
            return list(ray.get(tasks))
        finally:
            ray.shutdown()


def _run_job(
    number: int,
    overrides: list[str],
    hydra_context: HydraContext,
    config: DictConfig,
    task_function: TaskFunction,
    singletons: Mapping[Any, Any],
) -> JobReturn:
    """Run one job in a Ray worker, which keeps Hydra's state of the first process."""
    setup_globals()
    Singleton.set_state(singletons)
    sweep_config = hydra_context.config_loader.load_sweep_config(config, overrides)
    with open_dict(sweep_config):
        sweep_config.hydra.job.id = f"{sweep_config.hydra.job.name}_{number}"
        sweep_config.hydra.job.num = number
    HydraConfig.instance().set_config(sweep_config)
    return run_job(
        hydra_context=hydra_context,
        config=sweep_config,
        task_function=task_function,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


ConfigStore.instance().store(
    group="hydra/launcher", name="lanecast_ray", node=RayLauncherConf, provider="lanecast"
)
