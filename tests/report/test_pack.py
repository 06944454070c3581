"""The reviewer pack: what it holds equals the table, and it stands alone."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lanecast.cli.entry import as_overrides
from lanecast.cli.folders import ConfFolders
from lanecast.errors import ConfigError, WorseError
from lanecast.promote.gate import judge
from lanecast.report.pack import curves, flat, payload
from lanecast.report.page import page
from lanecast.report.rendering import write
from lanecast.report.table import compare, compare_runs
from lanecast.runs.reading import read_runs
from lanecast.workflows.compare import named

CONF = Path(__file__).parents[2] / "conf"
SUM_ABS_Y = np.array([100.0, 200.0, 100.0, 300.0, 200.0, 100.0])


class Numbers(HTMLParser):
    """Collects (config hash, column, value, link) of every number of the leaderboard."""

    def __init__(self) -> None:
        super().__init__()
        self.found, self.links, self.ids = [], [], set()

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        if facts.get("id"):
            self.ids.add(facts["id"])
        if tag == "td" and "data-value" in facts:
            self.found.append((facts["data-hash"], facts["data-column"], facts["data-value"]))
        if tag == "a":
            self.links.append(facts["href"])


def with_forecasts(folder: Path) -> None:
    """Two lanes at two cutoffs, with actuals and a learning curve."""
    rows, actual = [], []
    for lane, level in (("A>B", 50.0), ("</script><b>", 9.0)):
        for cutoff in pd.to_datetime(["2024-05-01", "2024-06-01"]):
            for ds in pd.date_range(cutoff + pd.Timedelta(days=1), periods=3):
                rows.append((lane, ds, cutoff, level, level - 2, level + 2))
                actual.append((lane, ds, level + 1))
    names = ["unique_id", "ds", "cutoff", "m", "m-q0.1", "m-q0.9"]
    pd.DataFrame(rows, columns=names).to_parquet(folder / "forecasts.parquet")
    pd.DataFrame(actual, columns=["unique_id", "ds", "y"]).to_parquet(folder / "actuals.parquet")
    lines = ["step,name,value", *(f"{k},val/wape,{1 / (k + 1)!r}" for k in range(500))]
    (folder / "metrics.csv").write_text("\n".join([*lines, "0,test/wape,0.5", ""]))


@pytest.fixture
def compared(demo):
    for folder in demo.glob("*/seed*"):
        with_forecasts(folder)
    return compare_runs(read_runs(str(demo)).runs, baseline="5eaaaaaa")


def numbers_of(text: str) -> Numbers:
    parser = Numbers()
    parser.feed(text)
    return parser


def test_every_number_of_the_leaderboard_equals_the_csv(compared, tmp_path):
    write(compared, tmp_path / "out")
    with (tmp_path / "out" / "compare.csv").open() as file:
        table = {row["hash"]: row for row in csv.DictReader(file)}
    found = numbers_of(page(payload(compared, compared.runs))).found
    assert len(found) >= 3 * len(table)
    for config_hash, column, value in found:
        assert float(value) == float(table[config_hash][column])


def test_every_link_of_the_page_leads_somewhere_in_it(compared):
    parser = numbers_of(page(payload(compared, compared.runs)))
    assert parser.links
    assert {link.removeprefix("#") for link in parser.links} <= parser.ids


def test_the_page_asks_for_nothing_from_outside(compared):
    text = page(payload(compared, compared.runs))
    assert not re.search(r"(?:src|href)=\"(?!#|data:,)", text)
    assert "@import" not in text
    assert re.findall(r"https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]


def test_a_name_with_markup_stays_text(compared):
    text = page(payload(compared, compared.runs))
    assert text.count("</script>") == 2
    assert "<b>" not in text


def test_the_payload_holds_forecasts_actuals_and_thinned_curves(compared):
    found = payload(compared, compared.runs)
    assert found["fans"]["lanes"][0] == "A>B"
    key = next(key for key in found["fans"]["paths"] if "|A>B|" in key)
    assert found["fans"]["paths"][key]["q0.9"] == [52.0, 52.0, 52.0]
    assert found["fans"]["actual"]["A>B"][0][1] == 51.0
    assert 1 < len(found["runs"][0]["curves"]["val/wape"]) <= 200
    assert "test/wape" not in found["runs"][0]["curves"]
    json.dumps(found, allow_nan=False)


def test_a_run_without_a_curve_file_has_none(tmp_path):
    assert curves(tmp_path / "metrics.csv") == {}


def test_flat_config_names_the_path():
    assert flat({"a": {"b": 1, "c": [1, 2]}, "d": {}}) == {"a.b": "1", "a.c": "[1, 2]", "d": "{}"}


def three_seeds(write_run, model, config_hash, factor, rng):
    for seed in (1, 2, 3):
        errors = factor * (SUM_ABS_Y * 0.1 + rng.uniform(0, 0.5, 6))
        folder = write_run(model, config_hash=config_hash, errors=errors, seed=seed)
    return folder


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "fail"), (1.0, "pass"), (0.8, "pass")])
def test_the_gate_fails_where_a_row_is_worse(tmp_path, write_run, factor, verdict):
    rng = np.random.default_rng(0)
    folder = three_seeds(write_run, "lightgbm", "b0aaaaaa", 1.0, rng)
    three_seeds(write_run, "nhits", "d0aaaaaa", factor, rng)
    found = compare(str(tmp_path / "demo"), baseline=named(str(folder)))
    path = tmp_path / "verdict.json"
    if verdict == "fail":
        with pytest.raises(WorseError, match=r"1 of 1 rows fail.*nhits d0aaaaaa: worse"):
            judge(found, path)
    else:
        judge(found, path)
    told = json.loads(path.read_text())
    assert told["verdict"] == verdict
    assert told["reference"] == "b0aaaaaa"
    assert bool(told["reasons"]) is (verdict == "fail")


def test_a_gate_that_cannot_tell_does_not_open_unless_allowed(tmp_path, write_run):
    write_run("lightgbm", config_hash="b0aaaaaa", errors=SUM_ABS_Y * 0.1)
    write_run("nhits", config_hash="d0aaaaaa", errors=SUM_ABS_Y * 0.05)
    found = compare(str(tmp_path / "demo"), baseline="lightgbm")
    with pytest.raises(WorseError, match="no claim about models"):
        judge(found, tmp_path / "verdict.json")
    judge(found, tmp_path / "verdict.json", allow_no_claim=True)


def test_a_gate_without_a_row_to_judge_is_refused(tmp_path, write_run):
    write_run("lightgbm", config_hash="b0aaaaaa", errors=SUM_ABS_Y * 0.1)
    found = compare(str(tmp_path / "demo"), baseline="lightgbm")
    with pytest.raises(ConfigError, match="names the only row"):
        judge(found, tmp_path / "verdict.json")


def test_a_flag_is_another_spelling_of_a_key():
    given = ["runs=a", "--fail-if-worse-than", "runs/b", "--multirun", "--out=c"]
    assert as_overrides(given, ConfFolders(main=CONF), "compare") == [
        "runs=a", "fail_if_worse_than=runs/b", "--multirun", "out=c",
    ]  # fmt: skip


def test_a_gate_judges_each_row_by_itself_and_a_table_all_rows_together(tmp_path, write_run):
    rng = np.random.default_rng(3)
    three_seeds(write_run, "lightgbm", "b0aaaaaa", 1.0, rng)
    share = 0.1055 + np.array([0.004, -0.003, 0.003, -0.002, 0.001, -0.003])
    for seed in (1, 2, 3):
        errors = SUM_ABS_Y * share + 0.25 + 0.003 * seed
        write_run("nhits", config_hash="d0aaaaaa", errors=errors, seed=seed)
    for number in range(6):
        three_seeds(write_run, "tft", f"7{number}aaaaaa", 1.0, rng)
    folder = str(tmp_path / "demo")
    table, gate = (compare(folder, baseline="lightgbm", each_row=alone) for alone in (False, True))
    rows = [found.table.set_index("model").loc["nhits"] for found in (table, gate)]
    assert [row["verdict"] for row in rows] == ["no difference", "worse"]
    assert rows[0]["difference_p"] == pytest.approx(7 * rows[1]["difference_p"])
    with pytest.raises(WorseError, match="nhits d0aaaaaa: worse"):
        judge(gate, tmp_path / "verdict.json")
