"""``--help`` for a newcomer, from the folders of configs alone.

Hydra's own composes the whole config and copies it once per group, which grows with ``conf/``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from string import Template
from typing import Any

import yaml

from lanecast.cli.folders import ConfFolders

TEXT = Template("""\
$purpose

  $call [group=option] [key=value] [nested.key=value] ...

Examples
$examples
$groups$keys$run
Options
  -m, --multirun        one job for each combination of a,b,c values
  --config-dir <folder> YAML of your own: <folder>/data/my_lanes.yaml is data=my_lanes
  trust=[mypackage.]    let YAML name classes of that package
  --cfg job             print the whole config and stop; add --resolve to fill in ${...}
  --hydra-help          Hydra's own options
  HYDRA_FULL_ERROR=1    (environment) full traces
""")
OF_A_RUN = """
Keys of every run
  name=adhoc            first folder under runs/
  seed=1                seeds everything; not part of the config hash
  run=<folder>          start from a recorded run: train repeats it, backtest and forecast use it
  skip_finished=true    take the result of a finished run instead of refusing its folder
  take_over=true        take the folder of a run that another host left, if you know it is gone
  keep.checkpoints=1    what is kept on disk; see conf/common.yaml

A run is a folder: runs/<name>/<model>-<data>-<hash>/seed<k>/ with record.json, metrics.csv,
forecasts.parquet, checkpoints/, .hydra/ and wandb/.
"""
# How a verb is called: ``lanecast train``, ``python scripts/train.py``.
Door = Callable[[str], str]
FOLDER = "runs/once/<model>-<data>-<hash>/seed1"
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "scenario": (
        f"scenario run={FOLDER} scenario=promo_week2",
        f"scenario run={FOLDER} 'scenario.do=[{{node: promo, kind: hard, value: 0, last: 7}}]'",
    ),
    "plan": (
        f"plan run={FOLDER} plan=stochastic network=midmile",
        f"plan run={FOLDER} plan=quantile plan.quantile=0.8 planning.integer=true",
    ),
    "replan": (f"replan run={FOLDER}", f"replan run={FOLDER} plan=mean loop.roster_days=3"),
    "audit": (f"audit run={FOLDER}",),
    "check": (
        "check data=panel_csv data.path=orders.csv 'data.source.rename={date: ds, orders: y}'",
        f"check run={FOLDER} data.path=newer.csv data.future_path=future.csv",
    ),
    "probe": ("probe model=nhits optim.max_steps=10", f"probe run={FOLDER}"),
    "mutation": ("mutation", "mutation clean=10 out=runs/mutation-short"),
    "falsify": ("falsify data=midmile dag=midmile", f"falsify run={FOLDER}"),
    "compare": (
        "compare runs='runs/demo/*'",
        "compare runs='[runs/a,runs/b]' baseline=lightgbm metrics='[wape,wql,wape/h08-14]'",
        "compare runs='runs/**/seed*' +factors.lr=optim.lr",
    ),
    "record": (
        "record runs='runs/calibration/**' slug=calibration-costs-nothing question='...'",
        "record index_only=true",
    ),
    "runs": (
        "runs model=nhits sort=size",
        "runs status=[failed,interrupted] older_than=P7D delete=true",
    ),
    "explain": (
        f"explain run={FOLDER} previous=2024-03-04 cutoff=2024-03-11",
        f"explain run={FOLDER} scenario=promo_on",
    ),
    "generate": (
        "generate preset=small out=data/twin",
        "generate preset=internet write=false fraction=0.02",
    ),
    "prepare": (
        "prepare data.path=orders/ data.store=orders.store",
        "prepare data=midmile_store data.path=data/twin/lanes data.store=data/twin.store",
    ),
    "export": (f"export run={FOLDER}", f"export run={FOLDER} out=served series=100"),
    "models": ("models",),
    "benchmark": ("benchmark", "benchmark figures=[startup] out=runs/bench-startup"),
    "plan_demo": ("plan_demo", "plan_demo draws=50 cutoffs=1 out=runs/plan-demo-short"),
    "midmile_do": (
        "midmile-do",
        "midmile-do networks=[tft] couplings=[none,delta] more=[] out=runs/midmile-do-tft",
    ),
}
COMMON = (
    "train model=tft seed=2",
    "backtest -m model=nhits,tft seed=1,2 name=my-first-sweep",
    "backtest -m model=nhits,tft seed=1,2 hydra/launcher=ray",
    "train -m hydra/sweeper=bayes hydra.sweeper.trials=20 "
    "'optim.optimizer.lr=tag(log,interval(1e-4,1e-2))' name=tuned",
    "train model=tft protocol.last_cutoff=2013-07-04 name=once",
    f"backtest run={FOLDER}",
)


def help_text(folders: ConfFolders, root: str, *, door: Door) -> str:
    """Describe the verb, its groups with their options, its own keys, and those of every run."""
    source = folders.root(root).read_text(encoding="utf-8")
    first = source.splitlines()[0]
    defaults = list(_defaults(folders, root))
    groups = "\n".join(
        f"  {group}: {', '.join(_options(folders, group, default))}"
        for group, default in defaults
        if folders.has_group(group)
    )
    keys = "\n".join(_own_keys(source))
    examples = EXAMPLES.get(root, COMMON)
    return TEXT.safe_substitute(
        purpose=first.lstrip("# ") if first.startswith("#") else root,
        call=door(examples[0].partition(" ")[0] if root in EXAMPLES else root),
        examples="\n".join(f"  {_spoken(example, door)}" for example in examples),
        groups=f"\nGroups (* is the default)\n{groups}\n" if groups else "",
        keys=f"\nKeys and their defaults\n{keys}\n" if keys else "",
        run=OF_A_RUN if ("common", None) in defaults else "",
    )


def _defaults(folders: ConfFolders, root: str) -> Iterator[tuple[str, Any]]:
    """Groups with their choices, and the configs beside the root, with theirs."""
    content = yaml.safe_load(folders.root(root).read_text(encoding="utf-8")) or {}
    for entry in content.get("defaults", []):
        if isinstance(entry, dict):
            yield from ((str(group), option) for group, option in entry.items())
        elif entry != "_self_":
            yield (str(entry), None)
            yield from _defaults(folders, str(entry))


def _spoken(example: str, door: Door) -> str:
    verb, _, words = example.partition(" ")
    return f"{door(verb)} {words}".rstrip()


def _own_keys(source: str) -> list[str]:
    """Top-level keys of the root that say on their own line what they are."""
    lines = []
    for line in source.splitlines():
        key, colon, rest = line.partition(": ")
        value, mark, comment = rest.partition(" # ")
        if colon and mark and key.isidentifier() and comment:
            lines.append(f"  {key + '=' + value.strip():<21} {comment}")
    return lines


def _options(folders: ConfFolders, group: str, default: object) -> list[str]:
    return [f"{name}*" if name == default else name for name in folders.options(group)]
