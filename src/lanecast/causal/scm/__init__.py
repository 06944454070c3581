"""Structural equations: mechanisms, fitting, rollouts, replay."""
