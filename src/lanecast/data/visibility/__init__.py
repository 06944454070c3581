"""What of a panel may be seen at a cutoff: cells, series as known then, lanes that are open."""
