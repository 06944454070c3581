"""How good a forecast is: metrics with a stated aggregation, slices without look-ahead."""
