"""For a model in a package of its own: `check_forecaster` holds it against the contract."""

from lanecast.models.testing import check_forecaster, contract, example_panel

__all__ = ["check_forecaster", "contract", "example_panel"]
