"""Groups of lanecast's own ``conf/`` are found behind those of the folder a command runs from."""

from __future__ import annotations

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from lanecast.config.composing import packaged_conf
from lanecast.config.recorded import register_resolvers

register_resolvers()  # whoever composes a config with Hydra can resolve it


class LanecastSearchPath(SearchPathPlugin):
    """Appends the packaged ``conf/``: what the main folder has comes first."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Hydra calls this once, before it composes."""
        folders = [Path(str(item.path).removeprefix("file://")) for item in search_path.get_path()]
        if packaged_conf() not in folders:
            search_path.append(provider="lanecast", path=f"file://{packaged_conf()}")
