"""Benchmarks: our steps, backtests, preparation and start-up beside the floor and the incumbent."""
