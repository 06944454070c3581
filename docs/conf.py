"""How the site is built: pages by MyST, the API from docstrings, notebooks by sphinx-gallery.

`make docs` turns warnings into errors, and nothing here asks the network for anything.
"""

from __future__ import annotations

import os
from importlib.metadata import version as version_of

# Notebooks train for seconds; threads that spin while they wait would make it minutes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

project = "lanecast"
author = "the lanecast authors"
copyright = author
version = release = version_of("lanecast")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["notebooks"]  # rendered into gallery/
nitpicky = False
default_role = "py:obj"  # `Name` in a docstring: a link where the site has the object, else code

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

sphinx_gallery_conf = {
    "examples_dirs": "notebooks",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"matplotlib\.(axes|figure)",  # their pictures are shown
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # its page would fetch scripts from elsewhere
    "show_signature": False,
    "min_reported_time": 3600,
}

html_theme = "furo"
html_title = "lanecast"
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = False
html_show_sourcelink = False
