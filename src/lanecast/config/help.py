"""``--help`` for a newcomer, from the folder of configs alone.

Hydra's own composes the whole config and copies it once per group, which grows with ``conf/``.
"""

from __future__ import annotations

from pathlib import Path
from string import Template

import yaml

TEXT = Template("""\
$purpose

  python scripts/$root.py [group=option] [key=value] [nested.key=value] ...

Examples
  python scripts/train.py model=tft seed=2
  python scripts/backtest.py -m model=nhits,tft seed=1,2 name=my-first-sweep
  python scripts/train.py model=tft protocol.last_cutoff=2013-07-04 name=once
  python scripts/backtest.py run=runs/once/<model>-<data>-<hash>/seed1

Groups (* is the default)
$groups

Keys of every run
  name=adhoc            first folder under runs/
  seed=1                seeds everything; not part of the config hash
  run=<folder>          start from a recorded run: train repeats it, backtest and forecast use it
  skip_finished=true    take the result of a finished run instead of refusing its folder
  keep.checkpoints=1    what is kept on disk; see conf/common.yaml

A run is a folder: runs/<name>/<model>-<data>-<hash>/seed<k>/ with record.json, metrics.csv,
forecasts.parquet, checkpoints/, .hydra/ and wandb/.

Options
  -m, --multirun        one job for each combination of a,b,c values
  --cfg job             print the whole config and stop; add --resolve to fill in ${...}
  --hydra-help          Hydra's own options
  HYDRA_FULL_ERROR=1    (environment) full traces
""")


def help_text(conf: Path, root: str) -> str:
    """Describe the verb, its groups with their options, and the keys of every run."""
    source = (conf / f"{root}.yaml").read_text(encoding="utf-8")
    first = source.splitlines()[0]
    purpose = first.lstrip("# ") if first.startswith("#") else root
    defaults = {
        str(group): option
        for entry in (yaml.safe_load(source) or {}).get("defaults", [])
        if isinstance(entry, dict)
        for group, option in entry.items()
    }
    groups = "\n".join(
        f"  {group}: {', '.join(_options(conf / group, default))}"
        for group, default in defaults.items()
        if (conf / group).is_dir()
    )
    return TEXT.safe_substitute(purpose=purpose, root=root, groups=groups)


def _options(folder: Path, default: object) -> list[str]:
    names = sorted(path.stem for path in folder.glob("*.yaml") if path.stem[0] != "_")
    return [f"{name}*" if name == default else name for name in names]
