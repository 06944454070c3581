"""Couplings of networks to a graph, actions, answers, badges."""
