import re

import pandas as pd
import pytest

from lanecast.errors import RunFolderError
from lanecast.report.rendering import plain_lines, show, terminal_lines, write
from lanecast.report.table import compare

SCHEDULE = {"schedule_known": "data.schema.columns.scheduled.role=known_future"}


def test_csv_and_markdown_hold_the_table(demo, tmp_path):
    comparison = compare(str(demo), factors=SCHEDULE, baseline="lightgbm")
    write(comparison, tmp_path / "out")
    back = pd.read_csv(tmp_path / "out" / "compare.csv", dtype={"hash": str, "baseline": str})
    assert back["wape"].to_numpy() == pytest.approx(comparison.table["wape"].to_numpy())
    assert back["hash"].tolist() == comparison.table["hash"].tolist()
    text = (tmp_path / "out" / "compare.md").read_text()
    assert re.search(r"\| nhits +\| True +\| 0\.09", text)
    assert "leaves out 0, which happens to equal models in at most 5 % of tables" in text
    assert re.search(
        r"\| -0\.0037 \+-0\.00\d\d +\| two fits, no claim about models +\| [\d.]+ \| b0aaaaaa +\|",
        text,
    )
    assert all(config_hash in text for config_hash in comparison.table["hash"])


def test_an_unwritable_folder_is_named(demo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"file.*choose another folder with out="):
        write(compare(str(demo)), tmp_path / "file" / "out")


def test_show_prints_every_model_and_where_it_was_written(demo, capsys):
    show(compare(str(demo), factors=SCHEDULE), demo)
    printed = capsys.readouterr().out
    assert all(model in printed for model in ("nhits", "lightgbm", "seasonal_naive"))
    assert f"{demo}/compare.csv" in printed


def numbers(lines):
    return sorted(re.findall(r"-?\d+\.\d{4}", "\n".join(lines)))


@pytest.mark.parametrize("baseline", [None, "lightgbm"])
@pytest.mark.parametrize("room", [60, 80, 100, 200])
def test_a_terminal_of_any_width_shows_every_number_whole(demo, baseline, room):
    comparison = compare(str(demo), factors=SCHEDULE, baseline=baseline)
    lines = terminal_lines(comparison, room=room)
    assert max(map(len, lines)) <= room
    assert numbers(lines) == numbers(plain_lines(comparison))


def test_a_narrow_terminal_repeats_the_names_of_the_rows(demo):
    comparison = compare(str(demo), factors=SCHEDULE, baseline="lightgbm")
    wide, narrow = (terminal_lines(comparison, room=room) for room in (200, 60))
    assert sum("seasonal_naive" in line for line in wide) == 1
    assert sum("seasonal_naive" in line for line in narrow) > 1
    assert sum("d1aaaaaa" in line for line in narrow) == 0


def test_a_plain_table_is_aligned_markdown(demo):
    lines = plain_lines(compare(str(demo), factors=SCHEDULE))
    assert len({len(line) for line in lines}) == 1
    assert lines[0].startswith("| model          | schedule known |   wape |")
    assert lines[1].startswith("| -------------- | -------------- | -----: |")


def test_the_csv_of_runs_has_one_row_per_run(demo, tmp_path):
    write(compare(str(demo), factors=SCHEDULE), tmp_path)
    back = pd.read_csv(tmp_path / "compare_runs.csv")
    assert len(back) == 9
    nhits = back[(back["model"] == "nhits") & back["schedule_known"]]
    assert nhits["seed"].tolist() == [1, 2, 3]
    assert nhits["run"].str.endswith(("seed1", "seed2", "seed3")).all()
