"""What make asks of the benchmark can be asked: hours of work do not end at a missing key."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.speed.cases import SpeedCase
from benchmarks.speed.rows import BY_CASE, rows
from benchmarks.speed.verb import FIGURES
from lanecast.config.composing import composed_roots
from lanecast.errors import ConfigError
from lanecast.pipeline.building import plain_config

ROOT = Path(__file__).resolve().parents[2]


def asked_by(target: str) -> list[str]:
    """The overrides of the target's command; nothing is run."""
    environment = {**os.environ, "ARGS": "rounds=3 'precisions=[fp32]'"}
    told = subprocess.run(
        ["make", "--dry-run", target],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    command = told.replace("\\\n", " ").split("-m benchmarks.speed")[1].splitlines()[0]
    return shlex.split(command)


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("target", ["bench", "bench-full", "bench-gpu", "bench-guard"])
def test_every_case_that_make_asks_for_is_one(target):
    overrides = asked_by(target)
    (cfg,) = composed_roots(ROOT / "benchmarks" / "conf", "benchmark", [overrides])
    assert set(cfg.figures) <= set(FIGURES)
    cases, backtests = plain_config(cfg.cases), plain_config(cfg.backtests)
    named = [text for network in cfg.networks for text in cases[network]]
    named += [entry["case"] for network in cfg.networks for entry in backtests[network]]
    assert len([SpeedCase.of(text) for text in [*named, *cfg.prepared]]) >= 3
    for figure in set(cfg.figures) & {*BY_CASE, "backtest"}:
        assert any((backtests if figure == "backtest" else cases)[each] for each in cfg.networks)
    if "seeds" in cfg.figures:
        assert set(cfg.stacked) & set(cfg.networks)
    if target in ("bench", "bench-full"):
        assert cfg.rounds == 3
        assert list(cfg.precisions) == ["fp32"]


def test_seeds_are_stacked_of_networks_that_can_be(monkeypatch):
    """`make bench-gpu` asks for TFT too, whose LSTM has no stacked form; it once ended there."""
    asked = []

    def noted(cfg, case, network):
        asked.append((network, case.size))
        return iter(())

    monkeypatch.setitem(BY_CASE, "seeds", noted)
    (cfg,) = composed_roots(
        ROOT / "benchmarks" / "conf", "benchmark", [[*asked_by("bench-gpu"), "figures=[seeds]"]]
    )
    assert "tft" in cfg.networks
    assert not list(rows(cfg))
    assert asked == [("nhits", "1000x1000"), ("nhits", "1000x1000")]


def test_seeds_of_no_network_that_can_be_stacked_are_refused():
    (cfg,) = composed_roots(
        ROOT / "benchmarks" / "conf",
        "benchmark",
        [["figures=[seeds]", "networks=[tft]", "cases.tft=[100x2000]"]],
    )
    with pytest.raises(ConfigError, match=r"stacked=\['nhits'"):
        list(rows(cfg))
