"""The arithmetic of conformal shifts."""

import numpy as np
import pytest

from lanecast.errors import ConfigError
from lanecast.models.calibration.conformal import (
    ConformalScores,
    Method,
    conformal_quantile,
    shifts,
)


def scores_of(values, *, group=0, cutoff=0, known=0):
    values = np.asarray(values, dtype=float).reshape(len(values), -1)
    full = np.zeros(len(values), dtype=np.int64)
    return ConformalScores(
        score_EQ=values, group_E=full + group, cutoff_E=full + cutoff, known_E=full + known
    )


def test_conformal_quantile_takes_the_rank_with_the_finite_sample_correction():
    values = np.tile(np.arange(1.0, 10.0)[:, None], (1, 3))  # n = 9
    found = conformal_quantile(values, np.array([0.1, 0.75, 0.9]))
    assert found.tolist() == [1.0, 8.0, 9.0]


def test_conformal_quantile_covers_at_least_its_level():
    rng = np.random.default_rng(0)
    level = np.array([0.9])
    inside = [
        rng.normal() <= conformal_quantile(rng.normal(size=(19, 1)), level)[0] for _ in range(4000)
    ]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.015)


def test_scores_count_once_they_are_known():
    method = Method(name="split", least=1)
    scores = scores_of([5.0], known=10)
    asked = {"family_G": np.zeros(1, dtype=np.int64), "grid": [], "cutoffs": [9, 10]}
    found = shifts(scores, [0.9], method=method, **asked)
    assert found[9].item() == 0.0
    assert found[10].item() == 5.0


def test_a_small_group_takes_the_shift_of_its_family():
    method = Method(name="split", least=3)
    scores = scores_of([1.0, 2.0, 3.0], group=0).joined(scores_of([9.0], group=1))
    asked = {"grid": [], "cutoffs": [0]}
    found = shifts(scores, [0.5], method=method, family_G=np.array([0, 0]), **asked)[0]
    assert found[0].item() == 2.0
    assert found[1].item() == pytest.approx(2.0)
    alone = shifts(scores, [0.5], method=method, family_G=np.array([0, 1]), **asked)[0]
    assert alone[1].item() == 0.0


@pytest.mark.parametrize("name", ["aci", "pid"])
def test_a_level_that_is_missed_moves_outwards(name):
    method = Method(name=name, least=1, rate=0.05, memory=None)
    scores = scores_of([1.0] * 20, cutoff=0, known=0)
    for cutoff in range(1, 6):  # outcomes always above what was promised
        scores = scores.joined(scores_of([1.0 + 10 * cutoff] * 4, cutoff=cutoff, known=cutoff + 1))
    still = Method(name="split", least=1)
    asked = {"family_G": np.zeros(1, dtype=np.int64), "grid": range(7), "cutoffs": [6]}
    moved = shifts(scores, [0.8], method=method, **asked)[6].item()
    assert moved > shifts(scores, [0.8], method=still, **asked)[6].item()


def test_aci_reaches_its_level_where_the_scores_drift():
    rng = np.random.default_rng(1)
    scores = scores_of(rng.normal(size=50), cutoff=0, known=0)
    for step in range(1, 300):
        drifted = rng.normal(loc=0.02 * step, size=5)
        scores = scores.joined(scores_of(drifted, cutoff=step, known=step + 1))
    method = Method(name="aci", memory=28, rate=0.05, least=10)
    asked = {
        "family_G": np.zeros(1, dtype=np.int64),
        "grid": range(300),
        "cutoffs": range(100, 300),
    }
    found = shifts(scores, [0.9], method=method, **asked)
    hits = [
        (scores.score_EQ[scores.cutoff_E == step, 0] <= found[step].item()).mean()
        for step in range(100, 300)
    ]
    assert np.mean(hits) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(
    "options", [{"name": "bag"}, {"name": "aci", "rate": -1}, {"name": "aci", "memory": 0}]
)
def test_methods_without_meaning_are_refused(options):
    with pytest.raises(ConfigError, match="calibration"):
        Method(**options)
