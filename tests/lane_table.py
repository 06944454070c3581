"""A table of two lanes with a promotion known ahead, as a user would write it."""

from __future__ import annotations

import numpy as np
import pandas as pd

DAYS, HORIZON = 150, 14
LAST = pd.Timestamp("2024-01-01") + pd.Timedelta(days=DAYS - 1)
ROLLING = ["protocol.first_cutoff=2024-04-20", "protocol.step=7", "protocol.count=2"]


def lanes() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two series with a promotion known ahead, and the promotions of the days to forecast."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=DAYS + HORIZON, freq="D")
    frame = pd.DataFrame(
        {"unique_id": np.repeat(["A>B", "A>C"], len(days)), "ds": np.tile(days, 2)}
    )
    frame["promo"] = rng.integers(0, 2, len(frame))
    frame["y"] = rng.poisson(20 + 10 * frame["promo"])
    frame["late"] = rng.poisson(2, len(frame))
    past = frame["ds"] <= LAST
    return frame[past], frame.loc[~past, ["unique_id", "ds", "promo"]]
