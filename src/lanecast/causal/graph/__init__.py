"""The declared graph: nodes, edges, its checks, identification, publication."""
