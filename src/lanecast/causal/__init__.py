"""The declared causal graph: what may move what, what is identified, and what do() changes."""
