"""What tables and forecasts look like when something is wrong."""
