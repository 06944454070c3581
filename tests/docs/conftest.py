"""A reader's folder: the files that the pages tell them to write, and the tables they describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from document_blocks import all_blocks

LANES = (("ATL", "BOS"), ("ATL", "CLE"), ("BOS", "CLE"), ("CLE", "ATL"))
DAYS, AHEAD = 240, 14


def my_lanes() -> pd.DataFrame:
    """Parcels of four lanes a day, with the columns of docs/data.md; the last rows are ahead."""
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-01-01", periods=DAYS + AHEAD)
    tables = []
    for level, (origin, dest) in zip((400, 90, 250, 60), LANES, strict=True):
        promo = rng.random(len(dates)) < 0.1
        week = np.where(dates.day_of_week < 5, 1.1, 0.7)
        tables.append(
            pd.DataFrame(
                {
                    "origin": origin,
                    "dest": dest,
                    "date": dates,
                    "parcels": rng.poisson(level * week * (1 + 0.4 * promo)),
                    "promo": promo.astype(int),
                    "capacity": int(1.5 * level),
                    "weather": rng.normal(size=len(dates)).round(2),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a reader types what the pages show."""
    folder = tmp_path_factory.mktemp("reader")
    for block in all_blocks("yaml"):
        if block.user_file is not None:
            path = folder / block.user_file
            path.parent.mkdir(parents=True, exist_ok=True)
            twice = path.exists() and path.read_text() != block.text
            assert not twice, f"{block.place}: two versions of {block.user_file}"
            path.write_text(block.text)
    table = my_lanes()
    ahead = table["date"] > table["date"].min() + pd.Timedelta(days=DAYS - 1)
    table[~ahead].to_csv(folder / "my_lanes.csv", index=False)
    known = ["origin", "dest", "date", "promo", "capacity"]
    table.loc[ahead, known].to_csv(folder / "my_next_weeks.csv", index=False)
    return folder
