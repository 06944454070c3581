"""From a run folder back to its model, and to its data as the model reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lanecast.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lanecast.data.panel import Panel
    from lanecast.data.windows import WindowSpec
    from lanecast.models.protocol import Forecaster


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """A trained run: its folder, its config with what was asked of it now, its model loaded."""

    folder: Path
    config: DictConfig
    model: Forecaster

    @property
    def windows(self) -> WindowSpec:
        """The windows of its config."""
        from lanecast.config import instantiate

        spec: WindowSpec = instantiate(self.config.windows)
        return spec

    def panel(self) -> Panel:
        """The data of its config, statics encoded as when it was trained."""
        from lanecast.data.ingest.loading import load_panel
        from lanecast.data.ingest.statics import vocabulary_of
        from lanecast.data.schema import Schema

        data = self.config.data
        names = getattr(self.model, "static_names", None)
        if names is None:
            return load_panel(data)
        vocabulary = vocabulary_of(Schema.from_config(data.schema), names)
        return load_panel(data, vocabulary=vocabulary)


def open_run(run: DictConfig | str | Path) -> OpenedRun:
    """Open a run folder, or that of ``cfg.run`` with a config in which it was asked something.

    CheckpointError where it holds no trained model or one of another config.
    """
    from lanecast.config.recorded import read_config
    from lanecast.pipeline.facts import build_forecaster, saved_model

    if isinstance(run, str | Path):
        folder, config = Path(run), read_config(Path(run))
    else:
        if run.get("run") is None:
            raise ConfigError("there is no run to open; name its folder: run=runs/.../seed1")
        folder, config = Path(str(run.run)), run
    model: Any = build_forecaster(config).load(saved_model(folder))
    return OpenedRun(folder=folder, config=config, model=model)
