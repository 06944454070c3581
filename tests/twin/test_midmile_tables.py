from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from lanecast.data.ingest.loading import load_panel
from lanecast.errors import ConfigError
from lanecast.twin import Midmile, network_of, simulate, weather_forecasts
from lanecast.twin.publication import original

CONF = Path(__file__).parents[2] / "conf"
FAULTY = Midmile(preset="tiny", missing=0.01, duplicates=0.01, renames=0.2, revisions=0.1)


def panel(choice, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"data={choice}", "data.source.preset=tiny", *overrides])
    return load_panel(cfg.data)


@pytest.fixture(scope="module")
def clean():
    return FAULTY.clean()


@pytest.fixture(scope="module")
def labels():
    return FAULTY.labels()


def test_the_panel_holds_the_orders_of_the_world():
    loaded = panel("midmile")
    world = Midmile(preset="tiny").world
    assert loaded.series.tolist() == network_of(world).names().tolist()
    orders = simulate(world, nodes=["orders"])["orders"]
    np.testing.assert_array_equal(loaded.column("y").numpy(), orders.ravel())


def test_the_panel_passes_with_missing_values():
    loaded = panel("midmile", "data.source.missing=0.01")
    assert 0 < loaded.counts["targets_missing_in_rows"] < 200


def test_the_network_panel_adds_the_stations():
    loaded = panel("midmile_network")
    stations = [name for name in loaded.series if name.startswith("site:")]
    assert len(stations) == len(np.unique(network_of(Midmile(preset="tiny").world).lanes.dest_N))
    assert loaded.num_series == 40 + len(stations)


def test_stations_fill_their_own_columns_alone():
    frame = Midmile(preset="tiny", level="network").load().frame
    site = frame["unique_id"].str.startswith("site:")
    assert frame.loc[site, ["y", "promo", "shipments"]].isna().all(axis=None)
    assert frame.loc[site, ["arrivals", "labor_hrs"]].notna().all(axis=None)
    assert frame.loc[~site, ["arrivals", "labor_hrs"]].isna().all(axis=None)
    assert not frame.loc[site, ["price", "capacity"]].any(axis=None)


def test_the_source_and_the_truth_share_one_key():
    source = Midmile(preset="small", policy="randomized", days=90, seed=7)
    assert source.world.days == 90
    assert source.world.policy == "randomized"
    assert source.world.lanes == 200
    assert source.world.hash != Midmile(preset="small", policy="randomized", days=90).world.hash


def test_an_unknown_level_is_refused():
    with pytest.raises(ConfigError, match="level='site' is neither lane nor network"):
        Midmile(level="site")


def test_a_share_beyond_one_is_refused():
    with pytest.raises(ConfigError, match=r"missing=5 must lie in 0\.\.1"):
        Midmile(missing=5)


def test_no_fault_is_injected_by_default(clean):
    source = Midmile(preset="tiny")
    assert source.labels().empty
    assert source.load().frame.equals(clean)


def test_labels_name_every_missing_value(clean, labels):
    frame = Midmile(preset="tiny", missing=0.01).load().frame
    gone = frame.loc[frame["y"].isna(), ["unique_id", "ds"]].reset_index(drop=True)
    told = Midmile(preset="tiny", missing=0.01).labels()
    assert gone.equals(told[["unique_id", "ds"]])
    assert len(gone) / len(clean) == pytest.approx(0.01, rel=0.3)
    truth = clean.loc[frame["y"].isna(), "y"].to_numpy()
    np.testing.assert_array_equal(told["detail"].astype(float), truth)
    assert (labels["kind"] == "missing").sum() == len(gone)


def test_labels_name_every_duplicate(clean, labels):
    frame = FAULTY.load().frame
    copies = frame[frame.duplicated(["unique_id", "ds"])]
    told = labels[labels["kind"] == "duplicate"]
    assert len(copies) > 0
    assert copies["unique_id"].tolist() == told["unique_id"].tolist()
    assert copies["ds"].tolist() == told["ds"].tolist()
    assert len(frame) == len(clean) + len(copies)


def test_labels_name_every_renamed_series(labels):
    table = FAULTY.load()
    told = labels[labels["kind"] == "rename"].set_index("detail")
    fresh = table.frame[table.frame["unique_id"].map(original) != table.frame["unique_id"]]
    assert set(fresh["unique_id"]) == set(told.index)
    assert len(told) > 0
    first = fresh.groupby("unique_id")["ds"].min()
    assert (first == told["ds"].reindex(first.index)).all()
    assert set(table.statics["unique_id"]) == set(table.frame["unique_id"])


def test_vintages_end_with_the_final_values(clean):
    table = FAULTY.vintages()
    assert ((table["known_time"] - table["ds"]).dt.days.isin([1, 3])).all()
    last = table.drop_duplicates(["unique_id", "ds"], keep="last")
    np.testing.assert_array_equal(last["y"], clean["y"])
    revised = table[table.duplicated(["unique_id", "ds"], keep="last")]
    assert len(revised) / len(clean) == pytest.approx(0.1, rel=0.1)
    final = revised.merge(last, on=["unique_id", "ds"])
    assert (final["y_x"] <= final["y_y"]).all()


def test_labels_name_every_revision(labels):
    table = FAULTY.vintages()
    revised = table[table.duplicated(["unique_id", "ds"], keep="last")].reset_index(drop=True)
    told = labels[labels["kind"] == "revision"].reset_index(drop=True)
    assert told[["unique_id", "ds"]].equals(revised[["unique_id", "ds"]])
    np.testing.assert_array_equal(told["detail"].astype(float), revised["y"])


def test_weather_forecasts_get_worse_with_the_lead():
    world = Midmile(preset="tiny").world
    table = weather_forecasts(world, leads=[1, 4, 9])
    regions = network_of(world).regions_E[network_of(world).lanes.region_N]
    weather = simulate(world, nodes=["weather"])["weather"]
    truth = {region: weather[regions == region][0] for region in set(regions)}
    table["lead"] = (table["ds"] - table["issued"]).dt.days
    day = (table["ds"] - table["ds"].min()).dt.days
    actual = [truth[region][at] for region, at in zip(table["region"], day, strict=True)]
    error = (table["weather"] - actual).groupby(table["lead"]).std()
    np.testing.assert_allclose(error.to_numpy(), [0.25, 0.5, 0.75], rtol=0.1)
