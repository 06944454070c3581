"""Quantile grids and sample paths: finishing, sorting, support, copula."""
