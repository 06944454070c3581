"""Forecasters: deep networks and honest baselines behind one protocol."""
