"""`lanecast.panel` and `lanecast.load`: frames and files through the border of the command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lanecast as lc
from lanecast.config.choosing import data_config, options_of
from lanecast.data.ingest.loading import load_panel


@dataclass
class OtherFrame:
    """A frame of another library."""

    inside: pd.DataFrame

    def to_pandas(self) -> pd.DataFrame:
        return self.inside


def orders(table: pd.DataFrame) -> pd.DataFrame:
    """The table as an order system writes it: two id columns, names of its own."""
    ends = table["unique_id"].str.split(">", expand=True)
    named = table.rename(columns={"ds": "date", "y": "parcels"}).drop(columns="unique_id")
    return named.assign(origin=ends[0], dest=ends[1])


ORDERS: dict[str, Any] = {
    "id": ["origin", "dest"],
    "time": "date",
    "target": "parcels",
    "known_future": ["promo"],
    "observed": ["late"],
}


def test_a_frame_a_file_and_the_command_give_one_panel(
    table: pd.DataFrame, panel: lc.Panel
) -> None:
    table.to_csv("lanes.csv", index=False)
    table.to_parquet("lanes.parquet")
    roles: dict[str, Any] = {"known_future": "promo", "observed": "late"}
    config = data_config(
        "panel_csv",
        {},
        {"path": "lanes.csv", "data.schema.columns": {
            "y": {"role": "target"}, "late": {"role": "observed"}, "promo": {"role": "known_future"}
        }},
    )  # fmt: skip
    same = [
        lc.panel("lanes.csv", **roles),
        lc.panel(Path("lanes.parquet"), **roles),
        lc.panel(OtherFrame(table), **roles),
        load_panel(config),
    ]
    assert {each.fingerprint for each in same} == {panel.fingerprint}


def test_ids_are_joined_and_names_are_ours(table: pd.DataFrame, panel: lc.Panel) -> None:
    frame = orders(table)
    before = frame.copy()
    assert lc.panel(frame, **ORDERS).fingerprint == panel.fingerprint
    pd.testing.assert_frame_equal(frame, before)


def test_an_id_column_can_be_static_and_the_other_one_goes(table: pd.DataFrame) -> None:
    lanes = lc.panel(orders(table), **ORDERS, static="dest")
    assert list(lanes.attributes) == ["dest"]
    assert list(lanes.attributes["dest"]) == ["B", "C"]


def test_numbers_as_ids_become_text(table: pd.DataFrame) -> None:
    frame = table.assign(unique_id=pd.factorize(table["unique_id"])[0])
    assert list(lc.panel(frame, drop=["promo", "late"]).series) == ["0", "1"]


def test_roles_are_said_by_list_by_mapping_or_by_column(table: pd.DataFrame) -> None:
    by_list = lc.panel(
        table, known_future={"promo": "P7D"}, observed={"late": {"delay": "P1D"}}
    ).schema
    by_column = lc.panel(
        table,
        columns={
            "y": {"non_negative": True},
            "late": {"role": "observed", "delay": "P1D"},
            "promo": {"role": "known_future", "lead": "P7D"},
        },
    ).schema
    assert by_list.columns["promo"] == by_column.columns["promo"]
    assert by_list.columns["late"] == by_column.columns["late"]
    assert by_column.columns["y"].non_negative


def test_statics_and_days_ahead_may_come_apart(
    table: pd.DataFrame, promotions: pd.DataFrame
) -> None:
    sizes = pd.DataFrame({"unique_id": ["A>B", "A>C"], "size": [1.0, 2.0]})
    lanes = lc.panel(
        table, known_future="promo", observed="late", static="size", statics=sizes,
        future=promotions, calendar=["weekday", "holiday"], country="US",
    )  # fmt: skip
    assert lanes.statics.flatten().tolist() == [1.0, 2.0]
    assert "holiday" in lanes.calendar_names
    assert (lanes.end - 1 - lanes.last_step == 14).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "column 'promo' of the table is not declared.*known_future=.*drop="),
        ({"known_future": "promo", "observed": "promo"}, "'promo' is given two roles"),
        ({"known_future": ["promo", "late"], "target": "parcels"}, "time= or target= names the"),
        ({"known_future": ["promo", "late"], "freq": "h"}, "set absent= to zero"),
        ({"known_future": ["promo", "late"], "calendar": ["weekdays"]}, "calendar="),
        ({"known_future": {"promo": "7 days"}, "observed": "late"}, "is not an ISO duration"),
        ({"columns": {"promo": {"rule": "observed"}}, "observed": "late"}, "column 'promo'"),
    ],
)
def test_errors_say_what_to_change_in_python(
    table: pd.DataFrame, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(lc.LanecastError, match=message) as refused:
        lc.panel(table, **options)
    assert "data." not in str(refused.value)


def test_a_file_that_is_not_there_is_one_line() -> None:
    with pytest.raises(lc.ConfigError, match=r"no data at orders\.csv"):
        lc.panel("orders.csv")


def test_a_yaml_is_loaded_by_its_name(small: Callable[..., lc.Forecaster]) -> None:
    world = lc.load("midmile", "source.lanes=6", preset="tiny")
    assert world.num_series == 6
    assert world.schema.columns["promo"].manipulable
    with pytest.raises(lc.ConfigError, match="did you mean midmile"):
        lc.load("midmil")
    np.testing.assert_array_equal(world.offsets[[0]], 0)


def test_models_are_listed_by_the_names_that_build_them() -> None:
    rows = lc.list_models().set_index("model")
    assert rows.loc["nhits", ["known_future", "observed", "static"]].all()
    assert not rows.loc["seasonal_naive", "known_future"]
    assert rows.loc["linear", "intervals_from"] == "model"
    assert {"kind", "cost", "missing"} <= set(rows)
    assert set(rows.index) == set(options_of("model"))


def test_when_lanes_close_is_said_in_python_as_in_a_file(table: pd.DataFrame) -> None:
    roles: dict[str, Any] = {"known_future": "promo", "observed": "late"}
    lanes = lc.panel(table, absent="zero", until="2024-05-29", closes_after="P28D", **roles)
    assert (lanes.schema.until, lanes.schema.closing_steps) == ("2024-05-29", 28)
    with pytest.raises(lc.errors.SchemaError, match=r"^closes_after='28D' is not an ISO"):
        lc.panel(table, closes_after="28D", **roles)
    with pytest.raises(TypeError, match="'closes_afer'"):
        lc.panel(table, closes_afer="P28D", **roles)
