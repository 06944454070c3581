"""Baselines and statistical models: naive, smoothing, AutoETS and its kin, LightGBM."""
