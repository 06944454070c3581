"""Groups that configure networks alone: setting one of them for another model would do nothing.

Choosing such a group for another model is refused; a key of it may be meant for other models of the
same command line (``model=seasonal_naive,nhits optim.max_steps=300``), and is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from lanecast.config.recipe import composed_config
from lanecast.config.recorded import invocation
from lanecast.errors import ConfigError

OF_NETWORKS = ("anchor", "inputs", "loss", "optim", "scaler")


def refuse_unread(cfg: DictConfig | Mapping[str, Any]) -> str | None:
    """ConfigError where the command line chooses a group that the model never reads.

    Keys of such a group (``optim.max_steps=300``) do nothing for this model: what to warn of, if
    any.  What an experiment sets does not count: it is made for several models.
    """
    call = invocation()
    chosen = [name for name in OF_NETWORKS if name in call.choices]
    model = composed_config(cfg).get("model")
    name = model.get("name") if isinstance(model, Mapping) else model
    ignored = unread(model, overrides=call.overrides, groups=chosen)
    for override in ignored:
        if "." not in override.partition("=")[0]:
            raise ConfigError(
                f"{override} configures a network, and model={name} reads nothing of it; leave it"
                " out, or choose a network such as model=nhits"
            )
    if not ignored:
        return None
    verb = "configures" if len(ignored) == 1 else "configure"
    return f"{', '.join(ignored)} {verb} networks, and model={name} reads nothing of it"


def unread(model: Any, *, overrides: Sequence[str], groups: Sequence[str]) -> list[str]:
    """The overrides of ``groups`` that reach no part of the model, by its interpolations."""
    ignored = []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        root = override.key_or_group.split(".")[0]
        if root in groups and not _mentions(model, root):
            ignored.append(str(override.input_line).lstrip("+"))
    return ignored


def _mentions(value: Any, group: str) -> bool:
    if isinstance(value, Mapping):
        return any(_mentions(child, group) for child in value.values())
    if isinstance(value, list):
        return any(_mentions(child, group) for child in value)
    return isinstance(value, str) and bool(re.search(rf"\$\{{(?:oc\.select:)?\.*{group}\b", value))
