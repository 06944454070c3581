"""
Forecast your table
===================

From a table of parcels per lane and day to a forecast of the next two weeks, and to an honest idea
of how wrong it will be. The data are small and made here; with a table of your own, only the first
two cells differ.
"""

# %% [markdown]
# A table of lanes
# ----------------
#
# A table is long: one row per series and day. Here are twelve lanes over a year. Volumes follow the
# week, and a promotion lifts them by 40 percent. Promotions are decided ahead, so they are also
# known for the two weeks that nobody has seen yet. The weather is measured, and known a day late.

# %%
from itertools import product

import numpy as np
import pandas as pd

import lanecast as lc

rng = np.random.default_rng(7)
days = pd.date_range("2024-01-01", periods=364 + 14)
week = np.array([1.1, 1.2, 1.1, 1.1, 1.3, 0.7, 0.5])[days.day_of_week]
tables = []
for origin, dest in product(("ATL", "BOS", "CLE"), ("DEN", "EWR", "FLL", "GEG")):
    promo = (rng.random(len(days)) < 0.1).astype(int)
    volume = rng.uniform(60, 400) * week * (1 + 0.4 * promo) * rng.gamma(50, 1 / 50, len(days))
    weather = rng.normal(size=len(days)).round(2)
    columns = {"date": days, "parcels": volume.round(), "promo": promo, "weather": weather}
    tables.append(pd.DataFrame({"origin": origin, "dest": dest, **columns}))
everything = pd.concat(tables, ignore_index=True)
ahead = everything["date"] > "2024-12-29"
table, next_weeks = everything[~ahead], everything.loc[ahead, ["origin", "dest", "date", "promo"]]
table.head()

# %% [markdown]
# Say what the columns are
# ------------------------
#
# Each column says when it is known. That is all that lanecast needs to keep every model honest: a
# value that was not known at a cutoff is not handed to a model that forecasts from there. A column
# that is named nowhere is refused, not guessed.

# %%
lanes = lc.panel(
    table,
    id=["origin", "dest"],
    time="date",
    target="parcels",
    known_future=["promo"],
    observed={"weather": "P1D"},
)
lanes

# %% [markdown]
# Backtest before you believe
# ---------------------------
#
# A backtest forecasts two weeks from several cutoffs in the past and compares with what happened.
# The seasonal naive forecast repeats last week; a network that is not ahead of it is not worth its
# trouble. A model here is a prototype: each backtest fits a copy of its own.

# %%
naive = lc.model("seasonal_naive", horizon=14)
nhits = lc.model("nhits", context=28, horizon=14, max_steps=150, batch_size=64, inputs="lean")
backtests = [lc.backtest(lanes, model, cutoffs=4) for model in (naive, nhits)]
comparison = lc.compare(backtests, baseline="seasonal_naive")
comparison

# %% [markdown]
# ``wape`` is the sum of absolute errors over the sum of parcels, ``coverage_80`` the share of days
# inside the 80 percent interval. What may be concluded? With one seed of each, nothing about the
# models, only about these two fits:

# %%
print(*comparison.notes, sep="\n")

# %% [markdown]
# One lane at the last cutoff, with what really happened:

# %%
backtests[1].plot("ATL>EWR")

# %% [markdown]
# Where is it wrong? The same scores by steps ahead and by volume:

# %%
backtests[1].table().round(3)

# %% [markdown]
# Forecast the next two weeks
# ---------------------------
#
# The future needs the promotions that are planned, and no dummy target. If one were missing, the
# error would name the column, the lane and the first day.

# %%
forecast = lc.forecast(lanes, nhits, future=next_weeks)
forecast

# %%
forecast.plot("ATL>EWR")

# %% [markdown]
# The result is a frame in Nixtla's long form, with a column for each quantile, ready for a
# spreadsheet or for another tool:

# %%
forecast.frame.round(1).head()
