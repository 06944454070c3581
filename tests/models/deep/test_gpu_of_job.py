"""Which GPU a fit takes is a value: a sweep's job gives its number, and no model asks Hydra."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.types import RunMode
from omegaconf import OmegaConf

from lanecast.config.recipe import config_hash, instantiate
from lanecast.config.recorded import Invocation
from lanecast.models.deep import optimization
from lanecast.models.deep.optimization import Hardware

CONF = Path(__file__).parents[3] / "conf"


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch):
    monkeypatch.setattr(optimization.torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("LOCAL_RANK", raising=False)


@pytest.mark.parametrize(("gpu", "index"), [(None, 0), (0, 0), (3, 3), (5, 1)])
def test_fit_and_trainer_share_the_gpu_counted_round_those_there_are(gpu, index):
    hardware = Hardware(accelerator="gpu", gpu=gpu)
    assert hardware.device() == torch.device("cuda", index)
    assert hardware.trainer_devices() == [index]


def test_without_a_visible_gpu_the_first_is_named_and_torch_refuses_it(monkeypatch):
    monkeypatch.setattr(optimization.torch.cuda, "device_count", lambda: 0)
    assert Hardware(accelerator="gpu", gpu=5).index() == 0


def test_cpu_and_ddp_keep_their_devices(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Hardware(gpu=5).trainer_devices() == 1
    assert Hardware(accelerator="gpu", devices=2, gpu=5).trainer_devices() == 2
    assert Hardware(accelerator="gpu", devices=2, gpu=5).index() == 1


@pytest.mark.parametrize("trainer", ["cpu", "ddp", "gpu", "smoke"])
@pytest.mark.parametrize("job", [None, 5])
def test_a_sweeps_job_hands_its_number_to_the_trainer_and_no_hash(monkeypatch, trainer, job):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"trainer={trainer}"])
    before = config_hash(cfg)
    monkeypatch.setattr("lanecast.config.recorded.invocation", lambda: _job(job))
    assert instantiate(cfg.model.hardware).gpu == job
    assert config_hash(cfg) == before


def _job(number):
    mode = RunMode.RUN if number is None else RunMode.MULTIRUN
    return Invocation(hydra=OmegaConf.create({"mode": mode, "job": {"num": number}}))
