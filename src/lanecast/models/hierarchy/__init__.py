"""Forecasts that add up over lanes, sites, the network and blocks of steps."""
