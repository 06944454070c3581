"""Paths that are joint over series and steps: a Gaussian copula with a shrunken correlation.

Normal scores of past outcomes say how series err together.  Their correlation over ``M`` series is
shrunk to the identity by the intensity of Ledoit and Wolf (2004) and never formed: a draw is a
random mix of the past score vectors plus noise of its own, so 50,000 lanes need no M x M matrix.
Over the horizon all series share one correlation, so that the whole is their Kronecker product.

Axes: ``M`` series, ``K`` past score vectors (origin x step ahead), ``H`` horizon, ``S`` samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from lanecast.models.quantiles.grids import horizon_correlation
from lanecast.seeding import hashed_uniforms


@dataclass(frozen=True, slots=True, kw_only=True)
class Copula:
    """``vectors_MK``: past scores with unit mean square per series; ``shrink`` in [0, 1]."""

    vectors_MK: np.ndarray
    correlation_HH: np.ndarray
    shrink: float

    @classmethod
    def of(cls, score_MRH: np.ndarray) -> Copula:
        """Learn from the scores of ``R`` past origins; NaN is a score that is not known.

        A series without a score, and every series where less than two vectors are known, stays
        independent of the others.
        """
        series, origins, horizon = score_MRH.shape
        seen_MRH = np.isfinite(score_MRH)
        score_MRH = np.where(seen_MRH, score_MRH, 0.0)
        # A bias of the past is no dependence.
        mean_M = score_MRH.sum(axis=(1, 2)) / np.maximum(seen_MRH.sum(axis=(1, 2)), 1)
        score_MRH = np.where(seen_MRH, score_MRH - mean_M[:, None, None], 0.0)
        flat, seen = score_MRH.reshape(-1, horizon), seen_MRH.reshape(-1, horizon)
        vectors_MK = score_MRH.reshape(series, origins * horizon)
        vectors_MK = vectors_MK[:, seen_MRH.reshape(series, -1).any(axis=0)]
        size_M = np.sqrt((vectors_MK**2).mean(axis=1)) if vectors_MK.size else np.zeros(series)
        vectors_MK = vectors_MK / np.where(size_M > 0, size_M, 1.0)[:, None]
        return cls(
            vectors_MK=vectors_MK.astype(np.float32),
            correlation_HH=horizon_correlation(flat, seen),
            shrink=shrinkage(vectors_MK),
        )

    def rows(self, kept_M: np.ndarray) -> Copula:
        """Of some series, with the same intensity."""
        return Copula(
            vectors_MK=self.vectors_MK[kept_M],
            correlation_HH=self.correlation_HH,
            shrink=self.shrink,
        )

    def draw(
        self, samples: int, *, keys_M: np.ndarray, time: int, seed: int
    ) -> Iterator[np.ndarray]:
        """Normal scores of one sample after the other, [M, H] float32, each standard normal.

        What a node has of its own is a function of its key, the time and the seed, the mix that all
        share one of the time and the seed: neither changes with how many nodes there are.
        """
        series, past = self.vectors_MK.shape
        horizon = len(self.correlation_HH)
        root_HH = np.linalg.cholesky(self.correlation_HH).T.astype(np.float32)
        unknown_M = ~self.vectors_MK.any(axis=1)
        own = np.float32(np.sqrt(self.shrink))
        shared = np.float32(np.sqrt((1 - self.shrink) / max(past, 1)))
        times_M = np.full(series, time, dtype=np.int64)
        mixed = (np.arange(past, dtype=np.uint64), np.full(past, time, dtype=np.int64))
        for number in range(samples):
            noise_MH, mix_KH = (
                ndtri(
                    hashed_uniforms(*keys, num=1, size=horizon, seed=seed, skip=number)[0]
                ).astype(np.float32)
                for keys in ((keys_M, times_M), mixed)
            )
            z_MH = shared * (self.vectors_MK @ mix_KH) + own * noise_MH
            z_MH[unknown_M] = noise_MH[unknown_M]
            yield z_MH @ root_HH


def shrinkage(vectors_MK: np.ndarray) -> float:
    """Intensity toward the identity, by Ledoit and Wolf (2004), from K x K products alone."""
    series, past = vectors_MK.shape
    if past < 2 or series < 2:
        return 1.0
    gram_KK = vectors_MK.T @ vectors_MK
    square = float((gram_KK**2).sum()) / past**2  # of the sample correlation, squared Frobenius
    length_K = np.diag(gram_KK)
    distance = square - 2 * float((vectors_MK**2).sum()) / past + series
    projected_K = (gram_KK**2).sum(axis=0) / past
    error = float((length_K**2 - 2 * projected_K + square).sum()) / past**2
    return float(np.clip(error / distance, 0.0, 1.0)) if distance > 0 else 1.0
