"""The long-horizon protocol: first rows, z-scores of the training rows, channels as series."""

import numpy as np
import pandas as pd
import pytest

from lanecast.errors import SchemaError
from lanecast.sources.benchmarks import LongHorizon


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(50, 5, (100, 2)), columns=["OT", "HUFL"])
    wide["date"] = pd.date_range("2016-07-01", periods=100, freq="h")
    wide.loc[60:, "OT"] += 1000
    wide.to_parquet(tmp_path / "wide.parquet")
    return str(tmp_path / "wide.parquet")


def test_z_scores_use_the_training_rows_alone(path):
    frame = LongHorizon(path=path, train_rows=60, rows=80).load().frame
    train = frame.groupby("unique_id").head(60).groupby("unique_id")["y"]
    np.testing.assert_allclose(train.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(train.std(ddof=0), 1)
    assert frame.loc[frame["unique_id"] == "OT", "y"].iloc[60:].min() > 100


def test_only_the_first_rows_are_kept(path):
    frame = LongHorizon(path=path, train_rows=60, rows=80).load().frame
    assert frame.groupby("unique_id").size().to_dict() == {"HUFL": 80, "OT": 80}
    assert frame["ds"].max() == pd.Timestamp("2016-07-04 07:00")


def test_raw_units_on_request(path):
    frame = LongHorizon(path=path, train_rows=60, standardize=False).load().frame
    assert frame["y"].max() > 1000


def test_a_step_spaces_rows_that_repeat_a_time(path, tmp_path):
    wide = pd.read_parquet(path)
    wide.loc[5, "date"] = wide.loc[4, "date"]
    wide.to_parquet(tmp_path / "twice.parquet")
    source = LongHorizon(path=str(tmp_path / "twice.parquet"), train_rows=60, step="h")
    frame = source.load().frame
    assert not frame.duplicated(["unique_id", "ds"]).any()
    assert frame["ds"].max() == wide["date"].max()


def test_a_missing_time_column_is_named(path):
    with pytest.raises(SchemaError, match=r"'when'.*'OT'.*data.source.time"):
        LongHorizon(path=path, train_rows=60, time="when").load()


def test_more_training_rows_than_rows_are_refused(path):
    with pytest.raises(SchemaError, match=r"train_rows=90.*80 rows"):
        LongHorizon(path=path, train_rows=90, rows=80).load()
