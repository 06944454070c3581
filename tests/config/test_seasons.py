"""A season that is not set is the usual one of the data's frequency, in the config already."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from lanecast.config import config_hash, instantiate
from lanecast.config.choosing import model_config
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.schema import Schema
from lanecast.data.windows import WindowSpec
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.models.deep.anchors import SeasonalAnchor
from lanecast.pipeline.backtesting import backtest
from lanecast.pipeline.training import train
from lanecast.sources import SourceTable

CONF = Path(__file__).parents[2] / "conf"
SEASONAL = ("seasonal_naive", "smoothing", "lightgbm", "phase_median_4", "auto_ets", "nf_nhits")


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("backtest", ["data=panel_csv", "data.path=t.csv", *overrides])


@pytest.mark.parametrize(
    ("freq", "season"), [("h", 24), ("D", 7), ("15min", 96), ("W-MON", 52), ("3D", 1)]
)
def test_seasons_of_a_config_follow_its_frequency(freq, season):
    for model in SEASONAL:
        cfg = composed(f"model={model}", f"data.schema.freq={freq}")
        assert (cfg.model.season, cfg.protocol.season) == (season, season)
    cfg = composed("model=linear", "anchor=season", f"data.schema.freq={freq}")
    assert cfg.anchor.season == season
    assert composed(f"data.schema.freq={freq}", "protocol.season=5").protocol.season == 5


def test_season_that_follows_is_hashed_as_if_it_were_written():
    written = composed("model=seasonal_naive", "model.season=7", "protocol.season=7")
    assert config_hash(composed("model=seasonal_naive")) == config_hash(written)
    hourly = ["model=seasonal_naive", "data.schema.freq=h"]
    written = composed(*hourly, "model.season=24", "protocol.season=24")
    assert config_hash(composed(*hourly)) == config_hash(written)
    assert config_hash(composed(*hourly)) != config_hash(composed(*hourly, "model.season=7"))


@pytest.mark.parametrize("model", SEASONAL)
def test_model_without_data_waits_for_its_panel(model):
    cfg = model_config(model, {})
    assert cfg.model.season is None
    instantiate(cfg.model)


def hourly_panel():
    """Two series of 20 days that repeat every 24 hours, with a different hour of each day."""
    hours = pd.date_range("2024-01-01", periods=480, freq="h")
    rng = np.random.default_rng(0)
    rows = [
        pd.DataFrame({"unique_id": name, "ds": hours, "y": base + rng.normal(0, 1, len(hours))})
        for name, base in (("a", 50 + 30 * np.sin(hours.hour / 24 * 6.28)), ("b", hours.hour * 2.0))
    ]
    schema = Schema.from_config({"freq": "h", "columns": {"y": {"role": "target"}}})
    return panel_from_table(SourceTable(frame=pd.concat(rows, ignore_index=True)), schema)


def test_mase_of_backtest_and_train_and_the_anchor_follow_the_panel():
    panel, spec = hourly_panel(), WindowSpec(context=48, horizon=6, min_context=24)
    model = SeasonalNaive(windows=spec)
    scores = [
        backtest(panel, model, windows=spec, cutoffs=[400, 450], season=season).scores.values
        for season in (None, 24, 7)
    ]
    assert scores[0]["mase"] == scores[1]["mase"] != scores[2]["mase"]
    assert 0.5 < scores[0]["mase"] < 2
    trained = [
        train(panel, model, windows=spec, until=450, val_steps=48, season=season)
        for season in (None, 24, 7)
    ]
    mase = [each.validation["val/mase"] for each in trained]
    assert mase[0] == mase[1] != mase[2]
    anchor = SeasonalAnchor()
    anchor.bind(panel)
    assert anchor._steps == 24
