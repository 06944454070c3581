"""What a coupling costs: the training step of a coupled network beside that of the bare one."""

import statistics
import time
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from lanecast.causal.scm.layer import CausalLayer
from lanecast.data.ingest.loading import load_panel
from lanecast.pipeline.building import build_forecaster

CONF = Path(__file__).parents[3] / "conf"
SHORT, LONG, ROUNDS = 10, 70, 5


def fit_seconds(panel, *overrides, steps, layer=None):
    """Seconds of a fit of so many steps, the shared layer's fit left out."""
    chosen = [
        "experiment=midmile_do",
        "trainer.progress=false",
        "trainer.threads=1",
        "paths.output=.",
        f"optim.max_steps={steps}",
        *overrides,
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("backtest", overrides=chosen)
    model = build_forecaster(cfg, layer=layer)
    torch.set_num_threads(1)
    started = time.perf_counter()
    model.fit(panel, until=428)
    return time.perf_counter() - started


@pytest.mark.slow
def test_a_training_step_with_delta_costs_at_most_half_more_than_without():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("backtest", overrides=["experiment=midmile_do", "paths.output=."])
    panel = load_panel(cfg.data)
    layer: CausalLayer = build_forecaster(cfg).layer.fit(panel, until=428)  # type: ignore[attr-defined]
    ratios = []
    for _ in range(ROUNDS):
        seconds = {}
        for name, overrides, shared in (
            ("bare", ("dag=none", "coupling=none"), None),
            ("delta", ("coupling=delta",), layer),
        ):
            short = fit_seconds(panel, *overrides, steps=SHORT, layer=shared)
            seconds[name] = fit_seconds(panel, *overrides, steps=LONG, layer=shared) - short
        ratios.append(seconds["delta"] / seconds["bare"])
    ratio = statistics.median(ratios)
    print(
        f"training step of nhits with delta: {ratio:.2f}x that without (median of {ROUNDS} rounds)"
    )
    assert ratio <= 1.5
