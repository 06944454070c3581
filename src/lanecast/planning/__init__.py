"""Plans from forecasts: a two-stage stochastic program of trailers and heads, and what it costs."""
