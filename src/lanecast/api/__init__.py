"""The Python door: values in, values out, by the same names and YAML as the command.

From a table of one's own to a forecast, a backtest, its scores and a picture of one lane:

```python
import lanecast as lc

lanes = lc.panel(
    "orders.csv", id=["origin", "dest"], time="date", target="parcels", known_future=["promo"]
)
nhits = lc.model("nhits", context=56, horizon=14, max_steps=20)  # a trial; 1000 by default
naive = lc.model("seasonal_naive", context=56, horizon=14)

tests = [lc.backtest(lanes, model, cutoffs=6) for model in (nhits, naive)]
print(tests[0], lc.compare(tests, baseline="seasonal_naive"), sep="\\n\\n")
tests[0].plot("ATL>BOS")

forecast = lc.forecast(lanes, nhits, future="promotions.csv")
forecast.frame.to_csv("forecast.csv", index=False)
forecast.plot("ATL>BOS").figure.savefig("lane.png")
```

A model is a prototype: what fits it fits a copy and leaves it as it is.  Nothing is written unless
you write it, and no function needs a run folder.  `inputs` makes panels, models and graphs,
`verbs` does something with them, and what comes back (`results`, `decisions`) shows itself, gives
frames, and draws itself.
"""
