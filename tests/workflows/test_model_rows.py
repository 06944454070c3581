"""The table of models says of each what the model says, and what was measured."""

import json

import pytest

from lanecast.config import packaged_conf
from lanecast.workflows.models import measured_costs, model_rows

NAMES = {file.stem for file in (packaged_conf() / "model").glob("[a-z]*.yaml")}


@pytest.fixture(scope="module")
def rows():
    return {row.name: row for row in model_rows()}


def test_every_model_has_a_row_with_all_that_it_says(rows):
    assert set(rows) == NAMES
    assert all(row.missing is None for row in rows.values())
    assert {row.kind for row in rows.values()} == {"classical", "deep", "ensemble", "peers"}


def test_every_model_was_measured():
    assert set(measured_costs()["relative"]) == NAMES
    assert measured_costs()["relative"]["seasonal_naive"] == 1
    assert "20 daily series" in measured_costs()["case"]


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("nhits", ("observed", "known_future", "static")),
        ("dlinear", ()),
        ("schedule", ("known_future",)),
        ("lightgbm", ("known_future", "static")),
    ],
)
def test_covariates_are_those_that_a_fit_would_read(rows, name, reads):
    assert set(rows[name].reads) == set(reads)


def test_intervals_are_told_with_their_source(rows):
    assert rows["seasonal_naive"].quantiles == "residuals"
    assert rows["tft"].quantiles == "model"
    assert rows["ensemble"].quantiles == "members"


def test_rows_are_sorted_by_kind_and_cost(rows):
    order = [(row.kind, row.cost) for row in rows.values()]
    assert order == sorted(order)


@pytest.mark.slow
def test_costs_are_measured_by_a_command(tmp_path, capfd, monkeypatch):
    from script_runner import scripts_in

    out = tmp_path / "costs.json"
    with scripts_in(tmp_path, monkeypatch) as run:
        few = ["only=[linear,smoothing]", "series=4", "days=150", "budgets=[1,2]", f"out={out}"]
        assert run("costs", *few) == 0
    print(capfd.readouterr().out)
    relative = json.loads(out.read_text())["relative"]
    assert set(relative) == {"seasonal_naive", "linear", "smoothing"}
    assert relative["linear"] > relative["seasonal_naive"] == 1
