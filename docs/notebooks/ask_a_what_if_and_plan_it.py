"""
Ask a what-if and plan it
=========================

What would a promotion in the second week do, and how many trailers more would it need? A model that
predicts well cannot say, unless something tells it what causes what. Here a graph does, and the
data come from a synthetic middle mile whose equations are known, so that answers can be checked.
"""

# %% [markdown]
# A network of lanes that reacts
# ------------------------------
#
# ``midmile`` is a small world of lanes. Orders follow promotions, prices and the weather; and
# promotions answer orders: they come when yesterday was weak. That is what makes what-if questions
# hard. In the history a promotion is a sign of low orders as well as a cause of high ones, and a
# network that reads it learns both at once.

# %%
import lanecast as lc

lanes = lc.load("midmile", preset="tiny", lanes=12)
lanes

# %% [markdown]
# Declare what causes what
# ------------------------
#
# The graph says which column moves which, after how many days, and what a policy looks at. It is an
# assumption: data can contradict it and cannot confirm it.

# %%
graph = lc.graph("midmile")
for edge in graph.edges:
    print(f"{edge.source} -> {edge.target}, after {', '.join(map(str, edge.lags))} days")

# %% [markdown]
# Couple a network to the graph
# -----------------------------
#
# With ``delta`` the network forecasts the history as if nobody had acted, and the mechanisms of the
# graph add what the action does. So the answer to an action does not rest on what promotions used
# to go along with.

# %%
nhits = lc.model(
    "nhits",
    graph=graph,
    coupling={"mode": "delta", "mechanisms": {"steps": 100}},
    scaler="series_log_standard",
    max_steps=100,
    batch_size=128,
)
fitted = lc.fit(lanes, nhits)

# %% [markdown]
# Ask
# ---
#
# A promotion on each day of the second week, everywhere. Both arms share their noise, so their
# difference is the effect, and it is exactly zero in the first week: an action moves nothing before
# it happens.

# %%
answer = lc.what_if(
    lanes, fitted, do=[{"node": "promo", "kind": "hard", "value": 1, "first": 8, "last": 14}]
)
answer

# %%
answer.plot()

# %% [markdown]
# The badge says what the answer may be taken for. ``do-valid`` holds under the graph that was
# declared, no further. Without a graph the question is refused:

# %%
plain = lc.model("nhits", max_steps=1)
try:
    lc.what_if(lanes, plain, scenario="promo_on")
except lc.LanecastError as refusal:
    print(refusal)

# %% [markdown]
# Plan both futures
# -----------------
#
# A plan contracts trailers and rosters heads before the day comes, and pays for what they do not
# carry. Prices and rates are invented defaults of ``conf/network/midmile.yaml``; a table of your
# own takes their place.

# %%
plan = lc.plan(answer, network="midmile", days=14)
plan

# %%
plan.plot()

# %% [markdown]
# Trailers by lane and day, for both arms:

# %%
plan.trailers.head()
