"""Equations 2 to 6, from the weather to the orders; see the package for all of them.

Each function gives one node's value of a day, [..., N] float32.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from lanecast.twin.calendar import calendar_of
from lanecast.twin.counts import gamma_factor, poisson_quantile
from lanecast.twin.geography import LaneTraits
from lanecast.twin.noise import Noise, Shock
from lanecast.twin.state import LEVEL_KEEP, LEVEL_SD, STORM, WEATHER_KEEP, WEATHER_SD, DayState, F
from lanecast.twin.world import WARM, PromoPolicy, World

BREAK_RATE, BREAK_SIZE = F(0.001), F(0.4)  # equation 3, per lane and day; log size
DRIFT_KEEP, DRIFT_SD, DRIFT_EVERY = F(0.97), F(0.03), 7  # the share's drift, in days
PROMO_DISCOUNT, PRICE_ANSWER, PRICE_SD = F(0.1), F(0.3), F(0.05)  # equation 4
PRICE_LEAD = 7  # days ahead that a price is set
PROMO_SHARE, GAIN, PEAK_PROMO = 0.3, 14.0, F(0.6)  # equation 5
HALF, Z_BOUND = F(0.5), F(1.0)  # keep the residual of an empty day finite
COUNT_SD = 0.09  # of log counts around their rate, on a lane of 400 parcels
PROMO_AFTER, WEATHER_EFFECT, ORDERS_SD = F(0.15), F(0.05), F(0.1)  # equation 6


def weather(world: World, lanes: LaneTraits, state: DayState, noise: Noise, day: int) -> np.ndarray:
    """Equation 2, by region: an autoregression pushed by winter."""
    shocks = noise.shared(Shock.WEATHER, day, int(lanes.region_N.max()) + 1)
    winter = calendar_of(world).winter_T[day + WARM]
    return WEATHER_KEEP * state.weather + WEATHER_SD * shocks[..., lanes.region_N] + winter


def storm(world: World, weather: np.ndarray) -> np.ndarray:
    """Equation 2: 1 where the weather is a storm, else 0."""
    return (weather > STORM).astype(F) if world.storms else np.zeros_like(weather)


def level(world: World, state: DayState, noise: Noise, day: int) -> tuple[np.ndarray, np.ndarray]:
    """Equation 3: the latent level, and the break in it (0 on nearly all days)."""
    new = LEVEL_KEEP * state.level + LEVEL_SD * noise.normal(Shock.LEVEL, day)
    if not world.breaks:
        return new, np.zeros_like(new)
    uniform = noise.uniform(Shock.BREAK, day)
    broken = uniform < BREAK_RATE
    jump = np.zeros_like(new)
    if broken.any():  # what is left of the uniform is uniform again: it gives the size
        rest = np.clip(uniform[broken] / BREAK_RATE, 1e-4, 1 - 1e-4)
        jump[broken] = BREAK_SIZE * ndtri(rest)
    return new + jump, jump


def drift(state: DayState, noise: Noise, day: int) -> np.ndarray:
    """Of the lane's log share of its origin's volume (equation 8); moves once a week."""
    if day % DRIFT_EVERY:
        return state.drift
    return DRIFT_KEEP * state.drift + DRIFT_SD * noise.normal(Shock.DRIFT, day)


def reacts(world: World) -> bool:
    """Whether promotions answer orders at all."""
    return world.policy != PromoPolicy.RANDOMIZED


def promo(world: World, state: DayState, noise: Noise, day: int) -> np.ndarray:
    """Equation 5: 1 on a day of promotion, else 0."""
    if world.policy == PromoPolicy.COMMITTED:
        return state.plan[0]
    return _decided(world, state.residual, noise, day=day, for_day=day)


def plan(
    world: World, state: DayState, residual: np.ndarray, noise: Noise, day: int
) -> tuple[np.ndarray, ...]:
    """The committed promos of the next 14 days, after today's decision."""
    if world.policy != PromoPolicy.COMMITTED:
        return ()
    return (*state.plan[1:], _decided(world, residual, noise, day=day, for_day=day + WARM))


def _decided(
    world: World, residual: np.ndarray, noise: Noise, *, day: int, for_day: int
) -> np.ndarray:
    """Decide on ``day``, with the noise of that day, for ``for_day``."""
    gain = GAIN if reacts(world) else 0.0
    peak = calendar_of(world).peak_T[for_day + WARM]
    log_odds = intercept(gain) - F(gain) * residual + PEAK_PROMO * peak
    uniform = noise.uniform(Shock.PROMO, day)
    return (uniform < 1 / (1 + np.exp(-log_odds))).astype(F)


@lru_cache(maxsize=8)
def intercept(gain: float) -> float:
    """a0 of equation 5: a promo share of .3 over the stationary residual, off the peaks.

    A logistic with a normal argument is close to a probit of slope 1 / 1.702.
    """
    if gain == 0:
        return float(np.log(PROMO_SHARE / (1 - PROMO_SHARE)))
    steps = float(LEVEL_SD) ** 2 + float(BREAK_RATE) * float(BREAK_SIZE) ** 2
    variance = steps / (1 - float(LEVEL_KEEP) ** 2) + float(ORDERS_SD) ** 2 + COUNT_SD**2
    variance += float(DRIFT_SD) ** 2 / (1 - float(DRIFT_KEEP) ** 2)
    return float(ndtri(PROMO_SHARE) * np.sqrt(1.702**2 + gain**2 * variance))


def price(
    world: World, lanes: LaneTraits, promo: np.ndarray, level: np.ndarray, noise: Noise, day: int
) -> np.ndarray:
    """Equation 4; without confounding, set a week ahead and independent of all other nodes."""
    log_ratio: np.ndarray = PRICE_SD * noise.normal(Shock.PRICE, day - PRICE_LEAD)
    if world.confounded_price:
        log_ratio = log_ratio - PROMO_DISCOUNT * promo + PRICE_ANSWER * level
    return lanes.price_N * np.exp(log_ratio)


def planned_log(
    world: World, lanes: LaneTraits, day: int, *, peak_share: float = 1.0
) -> np.ndarray:
    """Base, weekday, season and events: the part of log orders that is known for all time, [N]."""
    at, calendar = day + WARM, calendar_of(world)
    events = calendar.off_T[at] + F(peak_share) * calendar.event_T[at] * lanes.event_N
    season = calendar.season_T[at] * lanes.season_N
    return lanes.log_base_N + calendar.weekday_TG[at][lanes.kind_N] + season + events


def explained(
    lanes: LaneTraits,
    state: DayState,
    *,
    planned: np.ndarray,
    weather: np.ndarray,
    promo: np.ndarray,
    price: np.ndarray,
) -> np.ndarray:
    """Equation 6 without level, drift and shock: the log rate that a planner can reckon."""
    treated = lanes.promo_N * promo - lanes.elasticity_N * np.log(price / lanes.price_N)
    return planned + treated - PROMO_AFTER * state.promo - WEATHER_EFFECT * weather


def residual(lanes: LaneTraits, orders: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """z of equation 5: log orders over what could be reckoned, from seen values alone.

    The policy sees counts, never the level behind them: with the orders of a day, its promo, price
    and weather, and the promo before, nothing hidden ties the next promo to the next orders.
    """
    reckoned = np.exp(explained) * (1 - lanes.zeros_N)
    return np.clip(np.log((orders + HALF) / (reckoned + HALF)), -Z_BOUND, Z_BOUND)


def orders(world: World, lanes: LaneTraits, rate: np.ndarray, noise: Noise, day: int) -> np.ndarray:
    """Equation 6, counts; without them, their mean given the rate."""
    if not world.counts:
        return mean_orders(lanes, rate)
    mean = rate * gamma_factor(lanes.shape_N, noise.normal(Shock.GAMMA, day))
    count = poisson_quantile(mean, noise.normal(Shock.POISSON, day))
    if lanes.zeros_N.any():
        count *= noise.uniform(Shock.ZERO, day) >= lanes.zeros_N
    return count


def mean_orders(lanes: LaneTraits, rate: np.ndarray) -> np.ndarray:
    """E[orders given the rate]."""
    return rate * (1 - lanes.zeros_N)
