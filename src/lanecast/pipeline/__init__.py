"""From a config to a forecaster, and from a run folder back to one."""
