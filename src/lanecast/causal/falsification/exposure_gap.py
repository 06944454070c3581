"""The exposure gap: how much worse a mechanism is on its own predictions than on what happened.

Axes: ``N`` series, ``H`` steps, ``J`` nodes.
"""

from __future__ import annotations

import numpy as np
import torch

from lanecast.causal.scm.chaining import Chain, chain
from lanecast.causal.scm.fitting import complete_rows
from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.panel import Panel
from lanecast.data.windows import WindowIndex


def gaps(layer: CausalLayer, panel: Panel, *, until: int, horizon: int) -> dict[str, float]:
    """WAPE of a chained horizon that ends at ``until`` over the WAPE of single steps, by node.

    In each node's own unit; a node that is known ahead, or never wrong, has nothing to compare.
    """
    last = until - max(0, *(panel.schema.delay_steps(c) for c in panel.schema.past))
    cutoff = last - horizon
    if cutoff < layer.wiring.lag:
        return {}
    series = np.flatnonzero((panel.start + layer.wiring.lag <= cutoff) & (panel.end > cutoff))
    at = WindowIndex(series_W=series, cutoff_W=np.full(len(series), cutoff, dtype=np.int64))
    if not len(at):
        return {}
    rolled = chain(layer, panel, at, horizon=horizon, how=Chain(training=True))
    prepared = layer.prepare(panel)
    lag = layer.wiring.lag
    rows = torch.from_numpy(series)
    window = slice(cutoff + 1 - lag, cutoff + 1 + horizon)
    x = prepared.whole_NTX[rows, window]
    valid = complete_rows(layer.mechanisms, prepared.seen_NTX[rows, window])[:, lag:]
    dates = prepared.context.whole(window.stop, first=window.start, rows=rows)
    with torch.inference_mode():
        mu, _, _ = layer.mechanisms.teacher(x, dates)
    binary = layer.wiring.bernoulli_J
    mu = torch.where(binary, torch.sigmoid(mu), mu)
    ratios = {}
    for node, name in enumerate(layer.wiring.names):
        valid_WH = valid[..., node]
        truth = prepared.space.to_natural(x[:, lag:, node], rows, node)
        single = prepared.space.to_natural(mu[..., node], rows, node)
        chained = prepared.space.to_natural(rolled.x_SWHJ[0, ..., node], rows, node)
        known = prepared.newest_J[node] > 0
        single_error = float(((single - truth).abs() * valid_WH).sum())
        chained_error = float(((chained - truth).abs() * valid_WH).sum())
        if single_error > 0 and not known:
            ratios[name] = chained_error / single_error
    return ratios
