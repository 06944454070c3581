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
$examples
$groups$keys$run
Options
  -m, --multirun        one job for each combination of a,b,c values
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
  keep.checkpoints=1    what is kept on disk; see conf/common.yaml

A run is a folder: runs/<name>/<model>-<data>-<hash>/seed<k>/ with record.json, metrics.csv,
forecasts.parquet, checkpoints/, .hydra/ and wandb/.
"""
FOLDER = "runs/once/<model>-<data>-<hash>/seed1"
EXAMPLES = {
    "scenario": (
        f"scenario.py run={FOLDER} scenario=promo_week2",
        f"scenario.py run={FOLDER} 'scenario.do=[{{node: promo, kind: hard, value: 0, last: 7}}]'",
    ),
    "plan": (
        f"plan.py run={FOLDER} plan=stochastic network=midmile",
        f"plan.py run={FOLDER} plan=quantile plan.quantile=0.8 planning.integer=true",
    ),
    "replan": (f"replan.py run={FOLDER}", f"replan.py run={FOLDER} plan=mean loop.roster_days=3"),
    "audit": (f"audit.py run={FOLDER}",),
    "probe": ("probe.py model=nhits optim.max_steps=10", f"probe.py run={FOLDER}"),
    "mutation": ("mutation.py", "mutation.py clean=10 out=runs/mutation-short"),
    "falsify": ("falsify.py data=midmile dag=midmile", f"falsify.py run={FOLDER}"),
    "record": (
        "record.py runs='runs/calibration/**' slug=calibration-costs-nothing question='...'",
        "record.py index_only=true",
    ),
    "runs": (
        "runs.py model=nhits sort=size",
        "runs.py status=[failed,interrupted] older_than=P7D delete=true",
    ),
    "explain": (
        f"explain.py run={FOLDER} previous=2024-03-04 cutoff=2024-03-11",
        f"explain.py run={FOLDER} scenario=promo_on",
    ),
    "generate": (
        "generate.py preset=small out=data/twin",
        "generate.py preset=internet write=false fraction=0.02",
    ),
    "prepare": (
        "prepare.py data.path=orders/ data.store=orders.store",
        "prepare.py data=midmile_store data.path=data/twin/lanes data.store=data/twin.store",
    ),
    "export": (f"export.py run={FOLDER}", f"export.py run={FOLDER} out=served series=100"),
    "benchmark": ("benchmark.py", "benchmark.py figures=[startup] out=runs/bench-startup"),
    "plan_demo": ("plan_demo.py", "plan_demo.py draws=50 cutoffs=1 out=runs/plan-demo-short"),
    "midmile_do": (
        "midmile_do.py",
        "midmile_do.py networks=[tft] couplings=[none,delta] more=[] out=runs/midmile-do-tft",
    ),
}
COMMON = (
    "train.py model=tft seed=2",
    "backtest.py -m model=nhits,tft seed=1,2 name=my-first-sweep",
    "backtest.py -m model=nhits,tft seed=1,2 hydra/launcher=ray",
    "train.py -m hydra/sweeper=bayes hydra.sweeper.trials=20 "
    "'optim.optimizer.lr=tag(log,interval(1e-4,1e-2))' name=tuned",
    "train.py model=tft protocol.last_cutoff=2013-07-04 name=once",
    f"backtest.py run={FOLDER}",
)


def help_text(conf: Path, root: str) -> str:
    """Describe the verb, its groups with their options, its own keys, and those of every run."""
    source = (conf / f"{root}.yaml").read_text(encoding="utf-8")
    first = source.splitlines()[0]
    purpose = first.lstrip("# ") if first.startswith("#") else root
    entries = (yaml.safe_load(source) or {}).get("defaults", [])
    defaults = {
        str(group): option
        for entry in entries
        if isinstance(entry, dict)
        for group, option in entry.items()
    }
    groups = "\n".join(
        f"  {group}: {', '.join(_options(conf / group, default))}"
        for group, default in defaults.items()
        if (conf / group).is_dir()
    )
    keys = "\n".join(_own_keys(source))
    return TEXT.safe_substitute(
        purpose=purpose,
        root=root,
        examples="\n".join(f"  python scripts/{one}" for one in EXAMPLES.get(root, COMMON)),
        groups=f"\nGroups (* is the default)\n{groups}\n" if groups else "",
        keys=f"\nKeys and their defaults\n{keys}\n" if keys else "",
        run=OF_A_RUN if "common" in entries else "",
    )


def _own_keys(source: str) -> list[str]:
    """Top-level keys of the root that say on their own line what they are."""
    found = []
    for line in source.splitlines():
        key, colon, rest = line.partition(": ")
        value, told, comment = rest.partition(" # ")
        if colon and told and key.isidentifier() and comment:
            found.append(f"  {key + '=' + value.strip():<21} {comment}")
    return found


def _options(folder: Path, default: object) -> list[str]:
    names = sorted(path.stem for path in folder.glob("*.yaml") if path.stem[0] != "_")
    return [f"{name}*" if name == default else name for name in names]
