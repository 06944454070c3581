"""midmile: a synthetic middle mile whose structural causal model is known, and so is the truth.

Day t, lane i (an origin>destination pair with its own demand); all shocks e, u are independent.

1.  Calendar: weekday, days off with 3 days before and after, peak weeks, season; known. `calendar`
2.  Weather of a region ``W = .8 W[t-1] + .6 e + winter(t)``; a storm is ``W > 2.2``. `demand`
3.  Latent level ``l = .97 l[t-1] + .05 e``, with rare breaks (node ``break``). `demand`
4.  Price ``log p = log p0 + .05 e``, set 7 days ahead; confounded, ``- .1 promo + .3 l`` on
    top. `demand`
5.  Promo ``P ~ Bern(sigmoid(a0 - a1 z + .6 peak))``, z yesterday's order residual, from what is
    seen: a1 = 14 is reactive, a1 = 0 randomized; committed decides with z of 14 days ago. `demand`
6.  Orders ``log rate = b + drift + season + events + l + .35 P - .15 P[t-1] - 1.2 (log p - log p0)
    - .05 W + .10 u``; negative binomial, small lanes zero-inflated. `demand`, `counts`
7.  Capacity planned 14 days ahead from what is known; ``release = min(orders + backlog,
    cap)``. `flow`
8.  Base volumes are Dirichlet shares of the origin's volume, with a drift (not normalized again
    each day, so that lanes stay independent); release leaves over 3 days, .50 .35 .15. `flow`
9.  Arrivals a day later (.65) or two; a storm holds back .4 of what is due to the next day. `flow`
10. Sort hours of a station from arrivals, with congestion against a reactive roster. `sites`
11. Late share logistic in days of backlog. `flow`
12. Data plane: missing, duplicates, renames, revisions, each with labels. `plane`

Noise is counter-based (`noise`), so that any cell's is made again from its key: no truth is stored.
"""

from __future__ import annotations

from lanecast.twin.catalogue import catalogue, truth_table
from lanecast.twin.geography import network_of
from lanecast.twin.simulation import simulate
from lanecast.twin.source import Midmile, weather_forecasts
from lanecast.twin.truth import counterfactual, expected
from lanecast.twin.world import PRESETS, PromoPolicy, World

__all__ = [
    "PRESETS",
    "Midmile",
    "PromoPolicy",
    "World",
    "catalogue",
    "counterfactual",
    "expected",
    "network_of",
    "simulate",
    "truth_table",
    "weather_forecasts",
]
