"""
Forecast your table
===================

From a table of parcels per lane and day to a forecast of the next two weeks, and to an honest idea of how wrong it
will be. It takes a few seconds on small data that it makes itself; with a table of your own, only the first cell differs.
"""

# %%
print(1)
