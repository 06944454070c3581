"""Checks that stand above the verbs: what training costs, and later what it leaks."""
