"""
Forecast your table
===================

From a table of parcels per lane and day to a forecast of the next two weeks, and to an honest idea
of how wrong it will be. The data are small and made here; with a table of your own, only the first
cell differs.
"""

# %% [markdown]
# A table of lanes
# ----------------
#
# A table is long: one row per series and day. ``unique_id`` names the series, ``ds`` the day, ``y``
# what is forecast. Here are twelve lanes over a year. Promotions are known ahead and lift volumes
# by 40 percent; the weather is only known a day late.

# %%
import numpy as np
import pandas as pd

rng = np.random.default_rng(7)
days = pd.date_range("2024-01-01", periods=364)
lanes = [f"{origin}>{dest}" for origin in ("ATL", "BOS", "CLE") for dest in ("DEN", "EWR", "FLL", "GEG")]
print(len(lanes))
