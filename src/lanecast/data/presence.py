"""Which cells hold a target: one bit each, so counted that any range is counted at once.

Axes: ``C`` cells asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

_BLOCK = 1 << 22  # cells looked at together: bounds the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """A bit vector with counts before each of its 64-bit words (a rank index): 2 bits a cell."""

    words: np.ndarray  # uint64
    counts: np.ndarray  # int64, set bits before each word

    @classmethod
    def of(cls, values: Tensor, *, nonzero: bool = False) -> Presence:
        """Finite cells of one column, or with ``nonzero`` those of them that are not 0."""
        column = values.numpy()
        words = np.zeros(len(column) // 64 + 1, dtype=np.uint64)
        octets = words.view(np.uint8)
        for low in range(0, len(column), _BLOCK):
            present = np.isfinite(column[low : low + _BLOCK])
            if nonzero:
                present &= column[low : low + _BLOCK] != 0
            bits = np.packbits(present, bitorder="little")
            octets[low // 8 : low // 8 + len(bits)] = bits
        counts = np.zeros(len(words), dtype=np.int64)
        np.cumsum(np.bitwise_count(words[:-1]), out=counts[1:])
        return cls(words=words, counts=counts)

    def before(self, cell_C: np.ndarray) -> np.ndarray:
        """Number of present cells before each cell, [C]."""
        word_C = cell_C >> 6
        return self.counts[word_C] + np.bitwise_count(self._lower(word_C, cell_C))

    def last(self, low_C: np.ndarray, stop_C: np.ndarray) -> np.ndarray:
        """Last present cell in each range ``low .. stop - 1``, -1 where there is none, [C]."""
        rank_C = self.before(stop_C)
        has_any = rank_C > self.before(low_C)
        word_C = np.maximum(np.searchsorted(self.counts, rank_C, side="left") - 1, 0)
        bits_C = np.where(word_C == stop_C >> 6, self._lower(word_C, stop_C), self.words[word_C])
        high_C, low_bits_C = bits_C >> np.uint64(32), bits_C & np.uint64(0xFFFFFFFF)
        # Halves of 32 bits are exact as floats.
        halves = np.where(high_C > 0, high_C, np.maximum(low_bits_C, 1)).astype(np.float64)
        bit_C = np.floor(np.log2(halves)).astype(np.int64) + np.where(high_C > 0, 32, 0)
        return np.where(has_any, (word_C << 6) + bit_C, -1)

    def _lower(self, word_C: np.ndarray, cell_C: np.ndarray) -> np.ndarray:
        """The bits of each word that lie before the cell."""
        mask_C = (np.uint64(1) << (cell_C & 63).astype(np.uint64)) - np.uint64(1)
        return self.words[word_C] & mask_C
