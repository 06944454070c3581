"""Whatever lies in the place of weights is read as tensors, and runs nothing."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from hostile_folders import OLD
from lanecast.data.disk.weights import checkpoint, load_tensors, save_tensors
from lanecast.errors import CheckpointError, ConfigError
from lanecast.models.classical.lightgbm import LightGBM
from lanecast.models.peers.neuralforecast import Reference, _refuse_pickles
from small_models import SPEC, Notes, small

UNTIL = 100


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def bombs(path: Path, ran: Path) -> dict[str, Any]:
    """Ways to write a bomb to ``path``."""
    return {
        "bare pickle": lambda: path.write_bytes(pickle.dumps(Bomb(ran))),
        "torch": lambda: torch.save({"module": {}, "bomb": Bomb(ran)}, path),
        "old torch": lambda: torch.save(
            {"bomb": Bomb(ran)}, path, _use_new_zipfile_serialization=False
        ),
    }


WAYS = ("bare pickle", "torch", "old torch")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_bomb_in_the_place_of_weights_does_not_go_off(panel, tmp_path, way, name):
    model = small().fit(panel, until=UNTIL)
    model.save(tmp_path / "saved")
    (tmp_path / "saved" / "model.safetensors").unlink()
    bombs(tmp_path / "saved" / name, tmp_path / "ran")[way]()
    with pytest.raises(CheckpointError, match="cannot be read as"):
        small().load(tmp_path / "saved")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("way", WAYS)
def test_a_bomb_in_the_place_of_a_checkpoint_does_not_go_off(panel, tmp_path, way):
    bombs(tmp_path / "last.ckpt", tmp_path / "ran")[way]()
    with pytest.raises(CheckpointError, match="could run code"):
        small(resume=str(tmp_path / "last.ckpt")).fit(panel, until=UNTIL)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["alias_to_model.pkl", "configuration.pkl", "NHITS_0.ckpt"])
def test_a_peers_folder_holds_no_pickle(tmp_path, name):
    folder = tmp_path / "pipeline"
    folder.mkdir()
    (folder / "configuration.json").write_text("{}")
    _refuse_pickles(folder)
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(CheckpointError, match=name):
        _refuse_pickles(folder)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_lists_none_that_lie_elsewhere(panel, tmp_path):
    notes = Notes(tmp_path / "first", stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        small(max_steps=6).fit(panel, until=UNTIL, reporter=notes)
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    state = checkpoint(last)
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("years of work")
    (of_best,) = (value for value in state["callbacks"].values() if "best_k_models" in value)
    for path in (str(thesis), f"{of_best['dirpath']}/../../thesis.txt"):
        of_best["best_k_models"] = {path: torch.tensor(9.0)}
        torch.save(state, last)
        with pytest.raises(CheckpointError, match="lies elsewhere"):
            small(max_steps=6, resume=str(last)).fit(panel, until=UNTIL)
    assert thesis.read_text() == "years of work"


def test_tensors_come_back_by_group_and_name_and_shared_ones_as_copies(tmp_path):
    shared = torch.arange(6.0).reshape(2, 3).T  # not contiguous
    tensors = {"group": {"one": shared, "other": shared}, "flat": torch.tensor([True])}
    save_tensors(tmp_path / "w", tensors)
    back = load_tensors(tmp_path / "w")
    assert torch.equal(back["group"]["one"], shared)
    assert torch.equal(back["group"]["other"], shared)
    assert torch.equal(back["flat"], tensors["flat"])


def test_weights_of_old_runs_are_read_as_tensors_alone(tmp_path):
    for path in OLD.rglob("*.pt"):
        shutil.copy(path, tmp_path)
        assert load_tensors(tmp_path / path.stem)


def test_weights_that_are_cut_off_are_named(tmp_path):
    save_tensors(tmp_path / "w", {"x": torch.zeros(100)})
    file = tmp_path / "w.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"w\.safetensors cannot be read as weights"):
        load_tensors(tmp_path / "w")


@pytest.mark.parametrize("option", ["alias", "default_root_dir", "callbacks", "logger"])
def test_options_of_a_peer_name_no_files_and_no_code(option):
    with pytest.raises(ConfigError, match=rf"model\.options\.{option}"):
        Reference(windows=SPEC, network="NHITS", name="x", max_steps=1, season=7,
                  options={option: "../../x"})  # fmt: skip


@pytest.mark.parametrize("option", ["machines", "machine_list_filename", "forcedsplits_filename"])
def test_parameters_of_trees_reach_no_machine_and_no_file(option):
    with pytest.raises(ConfigError, match=rf"model\.params\.{option}"):
        LightGBM(windows=SPEC, season=7, params={option: "10.0.0.1 80"})
