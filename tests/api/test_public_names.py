"""``import lanecast``: what it costs, what it shows, and that all of it is there."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

import lanecast as lc

HEAVY = {"torch", "pandas", "hydra", "numpy", "lightning", "omegaconf", "matplotlib", "yaml"}


def test_importing_lanecast_loads_nothing_heavy() -> None:
    code = f"import sys, lanecast, lanecast.errors; print({HEAVY!r} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_the_list_is_short_and_all_of_it_is_there() -> None:
    assert len(lc.__all__) <= 26
    assert set(lc.__all__) <= set(dir(lc))
    for name in lc.__all__:
        value = getattr(lc, name)
        assert name == "__version__" or (inspect.getdoc(value) or "").strip(), name


def test_the_version_is_that_of_the_package() -> None:
    assert lc.__version__ == version("lanecast")


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'forecasts'"):
        lc.forecasts  # noqa: B018


def test_type_checkers_see_where_each_name_is_defined() -> None:
    """What is loaded at first use is what the imports for types say."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(str(lc.__file__)).read_text())
    for_types = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lanecast.")
        for alias in node.names
    }
    homes = {name: home for home, names in lc._HOMES.items() for name in names}
    assert for_types == homes
    assert set(homes) | {"__version__"} == set(lc.__all__)
