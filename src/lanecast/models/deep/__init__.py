"""Networks and what trains them: module, losses, inputs, anchors, optimization."""
