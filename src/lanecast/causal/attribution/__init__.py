"""Why a forecast moved or missed, and what a hidden cause could change."""
