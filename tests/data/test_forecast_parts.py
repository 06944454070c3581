"""Forecasts written part by part are the file that is written at once."""

import numpy as np
import pandas as pd

from lanecast.data import forecast_parts
from lanecast.data.forecast_frames import actual_frame, forecast_frame
from lanecast.data.forecasts import Forecasts
from lanecast.data.windows import windows_at
from small_models import SPEC


def test_parts_make_the_same_table(panel, tmp_path, monkeypatch):
    at = windows_at(panel, [90, 97, 104], SPEC)
    rng = np.random.default_rng(0)
    found = Forecasts(
        index=at,
        point_WH=rng.random((len(at), SPEC.horizon)).astype(np.float32),
        levels=(0.1, 0.9),
        quantiles_WHQ=rng.random((len(at), SPEC.horizon, 2)),
    )

    def write(name):
        told = (forecast_frame(part, panel, "m") for part in forecast_parts.in_order(found))
        forecast_parts.write_parts(tmp_path / f"{name}.parquet", told)
        pieces = forecast_parts.by_series(found, steps=3 * SPEC.horizon)
        actual = (actual_frame(part, panel, context=2 * SPEC.horizon) for part in pieces)
        forecast_parts.write_parts(tmp_path / f"{name}-actual.parquet", actual)

    write("whole")
    monkeypatch.setattr(forecast_parts, "ROWS", 3 * SPEC.horizon)
    assert len(list(forecast_parts.in_order(found))) > 1
    assert len(list(forecast_parts.by_series(found, steps=3 * SPEC.horizon))) > 1
    write("parts")
    for kind in ("", "-actual"):
        whole = pd.read_parquet(tmp_path / f"whole{kind}.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"parts{kind}.parquet"), whole)
    whole = actual_frame(found, panel, context=2 * SPEC.horizon)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "whole-actual.parquet"), whole)
    assert not list(tmp_path.glob(".*"))
