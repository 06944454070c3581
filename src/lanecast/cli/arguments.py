"""What was typed, before Hydra reads it: names as they are, and launchers that are there."""

from __future__ import annotations

from collections.abc import Sequence
from shutil import which

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from lanecast.config.packages import require_package
from lanecast.config.recipe import NAME
from lanecast.errors import ConfigError

SLURM = ("slurm", "submitit_slurm")


def names_as_typed(argv: Sequence[str]) -> list[str]:
    """``name=1e5`` as ``name='1e5'``: Hydra would read a number, and the folder be 100000.0."""
    typed = []
    for text in argv:
        key, equals, value = text.partition("=")
        names = value.split(",")
        if key.lstrip("+") == "name" and equals and all(map(NAME.fullmatch, names)):
            text = f"{key}={','.join(map(_quoted_if_no_text, names))}"
        typed.append(text)
    return typed


def _quoted_if_no_text(name: str) -> str:
    try:
        value = OverridesParser.create().parse_override(f"name={name}").value()
    except HydraException:
        value = None
    return name if value == name else f"'{name}'"


def require_launcher(argv: Sequence[str]) -> None:
    """ConfigError where a launcher needs what this machine lacks, before anything is submitted."""
    chosen = [text.partition("=")[2] for text in argv if text.startswith("hydra/launcher=")]
    if not chosen or chosen[-1] not in SLURM:
        return
    require_package("submitit", extra="sweep", needed_by=f"hydra/launcher={chosen[-1]}")
    if which("sbatch") is None:
        raise ConfigError(
            f"hydra/launcher={chosen[-1]} submits jobs with sbatch, which is not on the PATH of"
            " this machine; start it on a login node of the cluster, or leave hydra/launcher out"
            " (hydra/launcher=joblib and hydra/launcher=ray run jobs side by side here)"
        )
