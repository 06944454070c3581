"""The audit measures what a model may be asked; every registered network has its recorded badge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from lanecast.audits.do_validity import Measured, audit, badge_of
from lanecast.config import instantiate
from lanecast.data.forecasts import Forecasts
from lanecast.data.panel import Panel
from lanecast.data.schema import TARGET, Role
from lanecast.models.classical.naive import SeasonalNaive
from small_what_if import CUTOFF, GRAPH, SPEC, coupled, world

CONF = Path(__file__).parents[2] / "conf"
# Untrained but for two steps: what a network *can* read is a matter of its architecture.
HORIZON_CAUSAL = {
    "bitcn": False,
    "dlinear": None,
    "itransformer": False,
    "linear": False,
    "lstm": True,
    "nbeatsx": False,
    "nhits": False,
    "patchtst": None,
    "tft": True,
    "tide": False,
    "timemixer": None,
    "tsmixerx": False,
}


def known_world() -> Panel:
    """The small world with promotions known ahead, so that there is a future to read."""
    from lanecast.data.views import with_roles

    promo = replace(world().schema.columns["promo"], role=Role.KNOWN_FUTURE)
    return with_roles(world(), {"promo": promo, "price": None, "capacity": None})


def configured(name):
    """A model of conf/model, two steps long."""
    overrides = [
        f"model={name}",
        "trainer=smoke",
        "trainer.progress=false",
        "windows.context=28",
        f"windows.horizon={SPEC.horizon}",
        "windows.min_context=7",
        "optim.val_steps=0",
        "optim.batch_size=16",
        "paths.output=.",
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=overrides)
    return instantiate(cfg.model)


def registered_networks():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for path in sorted((CONF / "model").glob("[a-z]*.yaml")):
            cfg = compose("train", overrides=[f"model={path.stem}", "paths.output=."])
            if "network" in cfg.model and not path.stem.startswith("nf_"):
                yield path.stem


def test_the_table_names_every_registered_network():
    assert sorted(registered_networks()) == sorted(HORIZON_CAUSAL)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HORIZON_CAUSAL))
def test_a_networks_horizon_causality_is_the_recorded_one(name):
    torch.manual_seed(0)
    panel = known_world()
    model = configured(name).fit(panel, until=CUTOFF)
    found = audit(model, panel, cutoff=CUTOFF)
    horizon = found.measures["horizon"]
    assert found.measures["leakage"].holds
    assert found.measures["leakage"].twin > 0
    if HORIZON_CAUSAL[name] is None:  # it reads no future at all
        assert horizon.twin == 0.0
        assert horizon.moved == 0.0
        return
    assert horizon.twin > 0
    assert horizon.holds == HORIZON_CAUSAL[name], horizon


@pytest.mark.parametrize("mode", ["mechanism", "delta", "delta_policy"])
def test_causal_couplings_are_valid_under_do_and_their_twins_move(mode):
    found = audit(coupled(mode), world(), cutoff=CUTOFF, samples=3)
    assert found.badge == coupled(mode).describe().do_validity
    for name, one in found.measures.items():
        assert one.moved in (0.0, None), name
        assert one.twin is None or one.twin > 0, name


def test_the_plain_network_is_associational_because_later_promotions_move_earlier_days():
    found = audit(coupled("none"), world(), cutoff=CUTOFF, samples=3)
    assert found.badge == "associational"
    assert found.measures["horizon"].moved > 0
    assert "earlier steps" in found.why
    assert found.measures["leakage"].moved == 0.0


def test_a_model_that_reads_no_future_is_horizon_causal_and_no_more():
    found = audit(coupled("no_future"), world(), cutoff=CUTOFF, samples=3)
    assert found.badge == "horizon-causal"


class Leaky(SeasonalNaive):
    """Looks up what is not known yet."""

    def predict(self, panel, *, at, quantiles=None, samples=None, seed=0):
        found = super().predict(panel, at=at, quantiles=quantiles, samples=samples, seed=seed)
        cell = panel.offsets[at.series_W] + at.cutoff_W - panel.start[at.series_W] + 1
        y_W = np.nan_to_num(panel.column("y").numpy()[cell])
        return Forecasts(
            index=at,
            point_WH=found.point_WH + y_W[:, None],
            levels=found.levels,
            quantiles_WHQ=found.quantiles_WHQ,
        )


def test_a_model_that_reads_the_future_is_caught():
    honest = SeasonalNaive(windows=SPEC, season=7).fit(world(), until=CUTOFF)
    leaky = Leaky(windows=SPEC, season=7).fit(world(), until=CUTOFF)
    assert audit(honest, world(), cutoff=CUTOFF).measures["leakage"].holds
    found = audit(leaky, world(), cutoff=CUTOFF)
    assert found.measures["leakage"].moved > 0
    assert found.badge == "associational"
    assert "not known at the cutoff" in found.why


def test_the_badge_is_never_above_what_construction_promises():
    clean = {
        name: Measured(moved=0.0, twin=1.0)
        for name in ("horizon", "before_action", "non_descendants", "leakage")
    }
    assert badge_of(clean, "associational")[0] == "horizon-causal"
    assert badge_of(clean, "do-valid under DAG 12345678")[0] == "do-valid under DAG 12345678"
    for name in ("before_action", "non_descendants"):
        moved = {**clean, name: Measured(moved=1e-9, twin=1.0)}
        badge, why = badge_of(moved, "do-valid under DAG 12345678")
        assert badge == "associational"
        assert name in why
    blind = {**clean, "leakage": Measured(moved=0.0, twin=0.0)}
    assert badge_of(blind, "do-valid under DAG 12345678")[0] == "associational"


def test_the_table_to_print_names_measures_and_badge():
    found = audit(coupled("delta"), world(), cutoff=CUTOFF, samples=3)
    lines = found.lines()
    assert lines[-1].startswith("badge: do-valid under DAG")
    assert {line.split()[0] for line in lines[1:-1]} == set(found.measures)
    assert set(found.to_record()["measures"]) == set(found.measures)
    assert GRAPH["nodes"]["orders"]["column"] == TARGET
