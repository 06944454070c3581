"""What people read: tables of runs and figures of forecasts."""
