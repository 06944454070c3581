"""A table names runs of other rules, pairs none across them, and leaves damaged ones out."""

import json

import numpy as np
import pytest

from lanecast.errors import RunFolderError
from lanecast.report.rendering import show, write
from lanecast.report.table import compare
from lanecast.runs.semantics import SEMANTICS
from run_folders import SUM_ABS_Y

METRICS = ["wape"]


def fill(write_run, **semantics):
    for at, (model, version) in enumerate(semantics.items()):
        for seed in (1, 2, 3):
            errors = SUM_ABS_Y * (0.1 + 0.05 * at) + seed + np.arange(6)
            facts = {} if version is None else {"semantics": version}
            write_run(model, config_hash=f"{at}aaaaaaa", errors=errors, seed=seed, **facts)


def test_runs_of_todays_rules_need_no_word(write_run, tmp_path):
    fill(write_run, nhits=SEMANTICS, tft=SEMANTICS)
    assert compare(str(tmp_path), metrics=METRICS).warnings == ()


def test_rows_of_other_rules_are_named_and_not_paired(write_run, tmp_path, capsys):
    fill(write_run, nhits=SEMANTICS, tft=1, linear=SEMANTICS)
    table = compare(str(tmp_path), metrics=METRICS, baseline="nhits")
    (line,) = table.warnings
    assert "semantics 1: tft 1aaaaaaa" in line
    assert "not paired" in line
    rows = table.table.set_index("model")
    assert np.isnan(rows.loc["tft", "wape_difference"])
    assert rows.loc["tft", "verdict"] == ""
    assert np.isfinite(rows.loc["linear", "wape_difference"])
    assert rows["mcs_p"].isna().all()
    show(table, tmp_path)
    assert capsys.readouterr().out.startswith(line)
    write(table, tmp_path)
    assert line in (tmp_path / "compare.md").read_text().split("| model")[0]


def test_seeds_of_one_experiment_are_not_averaged_over_versions(write_run, tmp_path):
    errors = SUM_ABS_Y * 0.1
    for seed, version in ((1, 1), (2, SEMANTICS), (3, SEMANTICS)):
        write_run("nhits", config_hash="aaaaaaaa", errors=errors, seed=seed, semantics=version)
    table = compare(str(tmp_path), metrics=METRICS)
    assert table.table["num_runs"].tolist() == [2]
    assert any("made under semantics 1" in note for note in table.notes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("record.json", b""),
        ("record.json", b"\x80\x81"),
        ("record.json", b"[]"),
        ("record.json", b'{"status": "completed"}'),
        ("forecasts.parquet", b""),
        ("forecasts.parquet", b"PAR1 half"),
        ("actuals.parquet", b"a foreign file"),
    ],
)
def test_a_damaged_run_is_left_out_and_said_so_on_top(write_run, tmp_path, name, content):
    fill(write_run, nhits=SEMANTICS, tft=SEMANTICS)
    damaged = tmp_path / "demo" / "tft-flights-1aaaaaaa" / "seed2"
    (damaged / name).write_bytes(content)
    table = compare(str(tmp_path), metrics=METRICS)
    (line,) = table.warnings
    assert line.startswith("Left out as damaged: ")
    assert str(damaged) in line
    assert table.table.set_index("model").loc["tft", "num_runs"] == 2


@pytest.mark.parametrize("value", ["0.1", None, [], {"a": 1}, True])
def test_a_score_that_is_no_number_is_damage_and_an_undefined_one_is_not(
    write_run, tmp_path, value
):
    fill(write_run, nhits=SEMANTICS, tft=SEMANTICS)
    path = tmp_path / "demo" / "tft-flights-1aaaaaaa" / "seed2" / "record.json"
    record = json.loads(path.read_text())
    record["scores"]["wape"] = value
    path.write_text(json.dumps(record))
    assert len(compare(str(tmp_path), metrics=METRICS).warnings) == (value is not None)


def test_where_all_are_damaged_the_error_names_each(write_run, tmp_path):
    fill(write_run, nhits=SEMANTICS)
    for path in tmp_path.rglob("record.json"):
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RunFolderError, match="no completed run") as refused:
        compare(str(tmp_path), metrics=METRICS)
    assert str(refused.value).count("cannot be read") == 3
