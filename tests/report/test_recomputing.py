"""A score is made anew from the forecasts that a run kept; a record that says otherwise is out."""

import json

import numpy as np
import pandas as pd
import pytest

from lanecast.data.schema import ID
from lanecast.errors import RunFolderError
from lanecast.evaluation.metrics import coverage, wape, wql
from lanecast.report.pack import payload
from lanecast.report.rendering import show, write
from lanecast.report.table import compare

CUTOFFS = pd.to_datetime(["2024-05-01", "2024-05-04", "2024-05-07", "2024-05-10"])
LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture
def kept(write_run):
    """Write a run with its forecasts of three lanes, three steps ahead, one cell missing."""

    def keep(model, config_hash, noise, *, seed=1):
        rng = np.random.default_rng(seed)
        keys = pd.MultiIndex.from_product([["b", "a", "c"], CUTOFFS, (1, 2, 3)]).to_frame(
            index=False, name=[ID, "cutoff", "step"]
        )
        keys["ds"] = keys["cutoff"] + pd.to_timedelta(keys["step"], unit="D")
        y = np.arange(len(keys), dtype=np.float32) + 5
        y[3] = np.nan
        actual = keys[[ID, "ds"]].assign(y=y).sample(frac=1, random_state=0)
        frame = keys[[ID, "ds", "cutoff"]].assign(
            m=(np.nan_to_num(y) + rng.normal(0, noise, len(y))).astype(np.float32)
        )
        for level in LEVELS:
            frame[f"m-q{level:g}"] = frame["m"] + np.float32(4 * (level - 0.5))
        seen, grid = np.isfinite(y)[:, None], frame[[f"m-q{q:g}" for q in LEVELS]].to_numpy()
        cells = (y[:, None], seen, frame["m"].to_numpy()[:, None])
        spread = (*cells[:2], grid[:, None], LEVELS)
        scores = {
            "wape": wape(*cells),
            "wql": wql(*spread),
            "coverage_80": coverage(*spread, percent=80),
        }
        rows = []
        for cutoff in CUTOFFS:
            at = (keys["cutoff"] == cutoff).to_numpy()
            rows.append({
                "cutoff": cutoff.isoformat(), "wape": wape(*(part[at] for part in cells)),
                "sum_abs_y": float(np.nansum(y[at])), "num_cells": int(seen[at].sum()),
            })  # fmt: skip
        folder = write_run(model, config_hash=config_hash, errors=np.ones(6), seed=seed,
                           scores=scores, by_cutoff=rows,
                           objective={"name": "test/wape", "value": scores["wape"]})  # fmt: skip
        frame.to_parquet(folder / "forecasts.parquet", row_group_size=7)
        actual.to_parquet(folder / "actuals.parquet")
        return folder

    return keep


def edit(folder, change):
    path = folder / "record.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def test_records_that_agree_are_compared(kept, tmp_path):
    kept("net", "d0aaaaaa", 1.0)
    kept("naive", "b0aaaaaa", 2.0)
    for metrics in (["wape"], ["wql"], ["coverage_80"]):
        found = compare(str(tmp_path / "demo"), metrics=metrics)
        assert (len(found.table), found.warnings) == (2, ())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: record["scores"].update(wape=0.01), "wape is 0.0"),
        (lambda record: record["by_cutoff"][1].update(wape=0.01), "wape at 2024-05-04 is 0.0"),
        (lambda record: record["by_cutoff"][3].update(sum_abs_y=9.0), "sum_abs_y at 2024-05-10"),
        (lambda record: record["objective"].update(value=0.01), "objective test/wape is 0.0"),
        (lambda record: record["by_cutoff"].pop(), "it holds 4 cutoffs, the record 3"),
        (lambda record: record["scores"].update(wape=None), "and not None"),
    ],
)
def test_a_record_that_says_otherwise_is_left_out_and_told_first(
    kept, tmp_path, capsys, change, words
):
    kept("naive", "b0aaaaaa", 2.0)
    edited = kept("net", "d0aaaaaa", 3.0)
    edit(edited, change)
    found = compare(str(tmp_path / "demo"))
    assert found.table["model"].tolist() == ["naive"]
    (warning,) = found.warnings
    assert warning.startswith(
        f"Left out: {edited}: its record disagrees with its forecasts.parquet"
    )
    assert words in warning
    write(found, tmp_path / "out")
    assert warning in (tmp_path / "out" / "compare.md").read_text().split("|")[0]
    show(found, tmp_path / "out")
    assert capsys.readouterr().out.startswith(warning)
    assert payload(found, found.runs)["notes"][0] == warning


@pytest.mark.parametrize("metric", ["wql", "coverage_80"])
def test_the_metric_that_sorts_the_table_is_recomputed_too(kept, tmp_path, metric):
    kept("naive", "b0aaaaaa", 2.0)
    edit(kept("net", "d0aaaaaa", 3.0), lambda record: record["scores"].update({metric: 0.01}))
    assert len(compare(str(tmp_path / "demo"), metrics=[metric]).table) == 1


@pytest.mark.parametrize("file", ["forecasts.parquet", "actuals.parquet"])
def test_edited_forecasts_or_actuals_disagree_too(kept, tmp_path, file):
    kept("naive", "b0aaaaaa", 2.0)
    path = kept("net", "d0aaaaaa", 3.0) / file
    frame = pd.read_parquet(path)
    frame[frame.columns[-1] if file[0] == "a" else "m"] *= 1.01
    frame.to_parquet(path)
    assert compare(str(tmp_path / "demo")).table["model"].tolist() == ["naive"]


@pytest.mark.parametrize("file", ["forecasts.parquet", "actuals.parquet"])
def test_forecasts_that_cannot_be_read_are_told(kept, tmp_path, file):
    kept("naive", "b0aaaaaa", 2.0)
    (kept("net", "d0aaaaaa", 3.0) / file).write_bytes(b"PAR1junkPAR1")
    (warning,) = compare(str(tmp_path / "demo")).warnings
    assert "it cannot be read" in warning
    assert "\n" not in warning


def test_nothing_is_left_where_every_record_disagrees(kept, tmp_path):
    edit(kept("net", "d0aaaaaa", 3.0), lambda record: record["scores"].update(wape=0.01))
    with pytest.raises(RunFolderError, match="no run can be compared"):
        compare(str(tmp_path / "demo"))


def test_runs_without_forecasts_stand_as_recorded_and_are_counted(kept, tmp_path):
    kept("naive", "b0aaaaaa", 2.0)
    (kept("net", "d0aaaaaa", 3.0) / "forecasts.parquet").unlink()
    found = compare(str(tmp_path / "demo"))
    assert len(found.table) == 2
    assert not found.warnings
    assert any("1 of 2 runs keep no forecasts" in note for note in found.notes)
