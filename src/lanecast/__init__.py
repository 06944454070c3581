"""lanecast: forecasting research for middle-mile networks."""

__version__ = "0.1.0"
