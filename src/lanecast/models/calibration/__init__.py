"""Conformal shifts around any forecaster."""
