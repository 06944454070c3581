"""From tables as people write them to a panel: validation, layout, loading, the store."""
