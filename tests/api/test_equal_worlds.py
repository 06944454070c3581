"""Two equal models in many worlds, with real backtests from end to end: how often one is called."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

import lanecast as lc

DAYS, HORIZON, LANES = 280, 14, 5
BUDGET = {"max_steps": 4, "batch_size": 16, "val_every": 4, "progress": False, "threads": 1}


def world(number: int) -> lc.Panel:
    """Lanes with a weekly profile that share the shocks of their days; nothing drifts."""
    rng = np.random.default_rng([17, number])
    level = rng.uniform(10, 80, LANES)
    week = rng.uniform(0.6, 1.4, (LANES, 7))
    day = rng.normal(0, 0.15, DAYS)
    rate = level[:, None] * week[:, np.arange(DAYS) % 7] * np.exp(day)
    return lc.panel(
        pd.DataFrame(
            {
                "unique_id": np.repeat([f"A>{lane}" for lane in range(LANES)], DAYS),
                "ds": np.tile(pd.date_range("2024-01-01", periods=DAYS), LANES),
                "y": rng.poisson(rate).ravel(),
            }
        )
    )


def naive_verdict(number: int, cutoffs: int, step: int) -> str:
    """Last week again against the last two weeks again: equally wrong where nothing drifts."""
    panel = world(number)
    results = {
        f"last {season} days": lc.backtest(
            panel,
            lc.model("seasonal_naive", horizon=HORIZON, season=season),
            cutoffs=cutoffs,
            step=step,
        )
        for season in (7, 14)
    }
    return verdict(lc.compare(results, baseline="last 7 days"), "last 14 days")


def trained_verdict(number: int) -> str:
    """One network under three seeds against itself under three others, daily windows halved."""
    panel = world(number)
    results = {
        name: [
            lc.backtest(
                panel,
                lc.model("linear", horizon=HORIZON, seed=seed, **BUDGET),
                cutoffs=12,
                step=7,
                seed=seed,
            )
            for seed in seeds
        ]
        for name, seeds in (("these", (1, 2, 3)), ("others", (4, 5, 6)))
    }
    return verdict(lc.compare(results, baseline="these"), "others")


def verdict(comparison: lc.ComparisonResult, name: str) -> str:
    return str(comparison.table.set_index("model").loc[name, "verdict"])


def called(verdicts: list[str]) -> int:
    """How many are a claim; every one must have been possible."""
    counts = Counter(verdicts)
    print(dict(counts))
    assert set(counts) <= {"better", "worse", "no difference"}
    return counts["better"] + counts["worse"]


def test_equal_models_are_rarely_called_different_in_a_few_worlds() -> None:
    assert called([naive_verdict(number, 12, 7) for number in range(6)]) <= 2


@pytest.mark.slow
@pytest.mark.parametrize(("cutoffs", "step"), [(8, 14), (12, 7)])
def test_equal_models_are_called_different_in_at_most_16_of_200_worlds(
    cutoffs: int, step: int
) -> None:
    assert called([naive_verdict(number, cutoffs, step) for number in range(200)]) <= 16


@pytest.mark.slow
def test_equal_networks_are_called_different_in_at_most_16_of_200_worlds() -> None:
    assert called([trained_verdict(number) for number in range(200)]) <= 16
