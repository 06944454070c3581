"""Size and power of a verdict, simulated: the same code as a comparison, all draws at once.

Axes: ``X`` draws, ``S`` seeds, ``C`` cutoffs.
"""

import numpy as np
import pytest

from lanecast.evaluation.evidence import evidence
from lanecast.evaluation.significance import half_width, uncertainty

DESIGNS = [(6, 0), (6, 1), (8, 1), (12, 1), (26, 1), (10, 6), (20, 13), (60, 13)]
MAY_BE_SILENT = [(6, 0), (6, 1), (8, 1), (10, 6), (20, 13)]
SEEDS = ((0, 0.0, 0.0), (3, 0.01, 0.01), (3, 0.2, 0.0), (5, 0.03, 0.03))  # number, sd of each side
DRAWS, CHUNK = 20_000, 4_000
DEVIATION = 0.06  # of a cutoff's paired difference, in parts of WAPE


def shocks(rng, kind, shape):
    if kind == "t3":
        return rng.standard_t(3, size=shape) / np.sqrt(3)
    return rng.exponential(size=shape) - 1.0 if kind == "skewed" else rng.normal(size=shape)


def rates(num_cutoffs, lags, *, seeds=(0, 0.0, 0.0), gain=0.0, kind="normal", draws=DRAWS):
    """Shares of draws called worse and better, at 5 % two-sided; None where no claim is made."""
    known = evidence(range(num_cutoffs), lags + 1)
    if not known.enough:
        return None
    rng, (num_seeds, *spreads) = np.random.default_rng([num_cutoffs, lags, draws]), seeds
    worse = better = 0
    for _ in range(draws // CHUNK or 1):
        size = min(CHUNK, draws)
        day = shocks(rng, kind, (size, num_cutoffs + lags))
        shared = sum(day[:, lag : lag + num_cutoffs] for lag in range(lags + 1))
        run_XSC = DEVIATION * (shared / np.sqrt(lags + 1))[:, None] - gain
        base_XSC = np.zeros_like(run_XSC)
        if num_seeds:  # of a fit, alike at all of its cutoffs, and a little of its own at each
            fit = [
                spread * rng.normal(size=(size, num_seeds, 1))
                + 0.3 * spread * rng.normal(size=(size, num_seeds, num_cutoffs))
                for spread in spreads
            ]
            run_XSC, base_XSC = run_XSC + fit[0], base_XSC + fit[1]
        mean, parts = uncertainty(run_XSC, base_XSC, np.ones(num_cutoffs), known=known)
        half = half_width(parts, 0.05)
        worse, better = worse + (mean > half).sum(), better + (mean < -half).sum()
    total = max(draws // CHUNK, 1) * min(CHUNK, draws)
    return worse / total, better / total


@pytest.mark.parametrize("design", [(8, 1), (12, 1), (60, 13)])
@pytest.mark.parametrize("seeds", [SEEDS[0], SEEDS[3]])
def test_equal_models_are_called_at_the_stated_rate(design, seeds):
    assert sum(rates(*design, seeds=seeds, draws=4000)) <= 0.06


def test_caution_is_not_silence():
    assert rates(20, 0, gain=0.05, draws=2000)[1] >= 0.8
    assert rates(26, 1, gain=0.1, draws=2000)[1] >= 0.6
    assert all(rates(*design, draws=10) for design in DESIGNS if design not in MAY_BE_SILENT)


@pytest.mark.slow
def test_size_and_power_of_the_verdict():
    wrong = []
    print("\ncutoffs/lags  seeds (sd run, sd base)  no claim  called  worse  better")
    for cutoffs, lags in DESIGNS:
        for seeds in SEEDS:
            name = f"{cutoffs}/{lags}".ljust(14) + f"{seeds[0]} ({seeds[1]:.2f}, {seeds[2]:.2f})"
            sides = rates(cutoffs, lags, seeds=seeds)
            if sides is None:
                print(f"{name:<39}   100 %")
                wrong += [] if (cutoffs, lags) in MAY_BE_SILENT else [f"{name} makes no claim"]
                continue
            print(f"{name:<39}     0 %  {sum(sides):.4f}  {sides[0]:.4f}  {sides[1]:.4f}")
            if sum(sides) > 0.06 or max(sides) > 0.03:
                wrong.append(f"{name}: {sides}")
    for kind in ("t3", "skewed"):  # beyond the promise: printed, not asserted
        for cutoffs, lags in DESIGNS:
            if (sides := rates(cutoffs, lags, kind=kind)) is not None:
                print(f"{cutoffs}/{lags} {kind}: {sum(sides):.4f} ({sides[0]:.4f}, {sides[1]:.4f})")
    for cutoffs, lags, gain, least in ((20, 0, 0.05, 0.8), (26, 1, 0.10, 0.6)):
        for seeds in ((0, 0.0, 0.0), (3, 0.005, 0.005), (5, 0.01, 0.01)):
            power = rates(cutoffs, lags, seeds=seeds, gain=gain)[1]
            print(f"{cutoffs}/{lags}, {gain:.0%} better, seeds {seeds}: called {power:.3f}")
            if power < least:
                wrong.append(f"{cutoffs}/{lags} gain {gain} with {seeds}: {power}")
    assert not wrong
