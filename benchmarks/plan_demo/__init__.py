"""plan-demo: what plans cost on a network whose true futures can be drawn, and why."""
