import json

import pandas as pd
import pytest
from omegaconf import OmegaConf

from lanecast.errors import ConfigError, RunFolderError
from lanecast.twin import Midmile, World, network_of, simulate
from lanecast.twin import partitions as parts
from lanecast.workflows import generate


def config(out, **changes):
    base = {
        "preset": "tiny", "seed": 1, "policy": "reactive", "world": {"days": 30}, "out": str(out),
        "write": True, "truth": False, "fraction": 1.0, "workers": 1,
    }  # fmt: skip
    return OmegaConf.create({**base, **changes})


@pytest.fixture
def small_partitions(monkeypatch):
    """Two partitions of one block each."""
    monkeypatch.setattr(parts, "PARTITION", 1024)
    return {"world": {"days": 5, "lanes": 1500}}


def test_the_folder_holds_the_table_of_the_source(tmp_path):
    generate.run(config(tmp_path / "out"))
    written = pd.read_parquet(tmp_path / "out" / "lanes")
    expected = Midmile(preset="tiny", days=30).load().frame
    assert written["unique_id"].astype(str).tolist() == expected["unique_id"].tolist()
    assert (written["ds"] == expected["ds"]).all()
    for name in ("y", "promo", "price", "late"):
        assert written[name].equals(expected[name]), name


def test_the_folder_holds_the_stations(tmp_path):
    generate.run(config(tmp_path / "out"))
    written = pd.read_parquet(tmp_path / "out" / "sites")
    table = Midmile(preset="tiny", days=30, level="network").load().frame
    expected = table[table["unique_id"].str.startswith("site:")].reset_index(drop=True)
    assert written["arrivals"].equals(expected["arrivals"])
    assert written["labor_hrs"].equals(expected["labor_hrs"])


def test_the_manifest_names_the_world(tmp_path):
    generate.run(config(tmp_path / "out"))
    told = json.loads((tmp_path / "out" / "world.json").read_text())
    assert told["hash"] == World.preset("tiny", days=30).hash
    assert told["complete"]


def test_the_truth_is_written_where_asked_for(tmp_path):
    generate.run(config(tmp_path / "out", truth=True))
    written = pd.read_parquet(tmp_path / "out" / "truth")
    level = simulate(World.preset("tiny", days=30), nodes=["level"])["level"]
    assert (written["level"] == level.ravel()).all()


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunFolderError, match=r"is not empty and holds no world\.json"):
        generate.run(config(tmp_path))


def test_a_folder_of_another_world_is_refused(tmp_path):
    generate.run(config(tmp_path / "out"))
    with pytest.raises(RunFolderError, match="holds another world"):
        generate.run(config(tmp_path / "out", seed=2))


def test_a_complete_folder_is_left_as_it_is(tmp_path, capsys):
    generate.run(config(tmp_path / "out"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    generate.run(config(tmp_path / "out"))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    assert "every partition was there already" in capsys.readouterr().out


def test_a_stopped_run_goes_on_to_the_same_folder(tmp_path, monkeypatch, small_partitions, capsys):
    generate.run(config(tmp_path / "whole", **small_partitions))
    make, made = parts.make, []

    def stopping(job):
        if made:
            raise KeyboardInterrupt
        made.append(job.number)
        return make(job)

    monkeypatch.setattr(parts, "make", stopping)
    with pytest.raises(KeyboardInterrupt):
        generate.run(config(tmp_path / "out", **small_partitions))
    assert "stopped after 1 of 2 partitions" in capsys.readouterr().out
    assert not json.loads((tmp_path / "out" / "world.json").read_text())["complete"]
    assert [path.name for path in (tmp_path / "out" / "lanes").iterdir()] == ["part-00000.parquet"]

    def counting(job):
        made.append(job.number)
        return make(job)

    monkeypatch.setattr(parts, "make", counting)
    generate.run(config(tmp_path / "out", **small_partitions))
    assert made == [0, 1]
    for room in ("lanes", "sites"):
        one, two = (pd.read_parquet(tmp_path / name / room) for name in ("whole", "out"))
        assert one.astype({"unique_id": str}).equals(two.astype({"unique_id": str}))


def test_a_fraction_is_the_first_lanes_of_the_whole(tmp_path):
    generate.run(config(tmp_path / "out", fraction=0.25))
    written = pd.read_parquet(tmp_path / "out" / "lanes")
    names = network_of(World.preset("tiny", days=30)).names()[:10]
    assert written["unique_id"].astype(str).unique().tolist() == names.tolist()
    assert not (tmp_path / "out" / "sites").exists()


def test_measuring_writes_nothing_and_tells_the_rate(tmp_path, capsys):
    rate = generate.run(config(tmp_path / "out", write=False))
    assert rate > 0
    assert not (tmp_path / "out").exists()
    told = capsys.readouterr().out
    assert "40 lanes x 30 days: 1200 lane-days" in told
    assert "M lane-days per second and core" in told


@pytest.mark.parametrize("change", [{"fraction": 0.0}, {"fraction": 2.0}, {"workers": 0}])
def test_sizes_that_cannot_be_are_refused(tmp_path, change):
    with pytest.raises(ConfigError, match="must lie in"):
        generate.run(config(tmp_path / "out", **change))
