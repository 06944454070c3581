"""Benchmarks that users run, frozen."""
