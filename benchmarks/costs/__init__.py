"""What every model costs beside seasonal_naive: the numbers of ``lanecast models``."""
