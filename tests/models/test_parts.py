"""Forecasts written part by part are the file that is written at once."""

import numpy as np
import pandas as pd

from lanecast.data.frames import forecast_frame
from lanecast.data.windows import windows_at
from lanecast.models import parts
from lanecast.models.protocol import Forecasts
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

    def frame(part):
        return forecast_frame(part, panel, "m")

    parts.write_in_parts(tmp_path / "whole.parquet", found, frame)
    monkeypatch.setattr(parts, "ROWS", 3 * SPEC.horizon)
    parts.write_in_parts(tmp_path / "parts.parquet", found, frame)
    whole = pd.read_parquet(tmp_path / "whole.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parts.parquet"), whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.parquet", "whole.parquet"]
