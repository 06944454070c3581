import pytest
import torch

from lanecast.models.deep import optimization
from lanecast.models.deep.optimization import Hardware, gpu_of_job


def test_jobs_go_round_the_gpus():
    assert [gpu_of_job(job, gpus=3) for job in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_without_a_visible_gpu_the_first_is_named_and_torch_refuses_it():
    assert gpu_of_job(5, gpus=0) == 0


@pytest.mark.parametrize(("job", "index"), [(None, 0), (0, 0), (5, 1)])
def test_fit_and_trainer_share_the_gpu_of_the_job(monkeypatch, job, index):
    monkeypatch.setattr("lanecast.config.recorded.sweep_job", lambda: job)
    monkeypatch.setattr(optimization.torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    hardware = Hardware(accelerator="gpu")
    assert hardware.device() == torch.device("cuda", index)
    assert hardware.trainer_devices() == [index]


def test_cpu_and_ddp_keep_their_devices(monkeypatch):
    monkeypatch.setattr("lanecast.config.recorded.sweep_job", lambda: 5)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Hardware().trainer_devices() == 1
    assert Hardware(accelerator="gpu", devices=2).trainer_devices() == 2
    assert Hardware(accelerator="gpu", devices=2).gpu() == 1
