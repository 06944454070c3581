"""From a run to what others load: exported programs."""
