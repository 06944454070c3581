"""What a coupling promises: no future that nobody knew, no effect before its cause, one folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lanecast.causal.graph.graph import Graph
from lanecast.causal.scm.chaining import Action, Soft
from lanecast.causal.scm.reference_history import effective_delays, idle, reference_panel
from lanecast.data.schema import Role
from lanecast.data.views import with_values
from lanecast.errors import CheckpointError, ConfigError, LeakageError
from lanecast.models.classical.naive import SeasonalNaive
from lanecast.whatif.coupled import DO_VALID, MODES, CoupledForecaster
from lanecast.whatif.couplings import Question
from lanecast.whatif.treatments import Futures
from small_models import HARDWARE, small
from small_what_if import CUTOFF, GRAPH, PLAN, SERIES, SPEC, at, coupled, world

HORIZON = SPEC.horizon
QUANTILES = (0.1, 0.5, 0.9)


def promo(first=1, last=HORIZON, value=1.0):
    path = np.zeros((SERIES, HORIZON), dtype=np.float32)
    path[:, first - 1 : last] = value
    return Action(hard={"promo": path})


def build(mode="delta", network="nhits", **options):
    inner = small(network, windows=SPEC, hardware=HARDWARE, max_steps=2, val_steps=0)
    options = {"mechanisms": PLAN, "policy_samples": 4} | options
    return CoupledForecaster(
        inner=inner, graph=Graph.from_config(GRAPH), mode=mode, windows=SPEC, **options
    )


def unknown_changed(panel):
    """The panel with every cell replaced that is not visible at the cutoff."""
    rng = np.random.default_rng(7)
    owner = np.repeat(np.arange(panel.num_series), np.diff(panel.offsets))
    step = np.arange(panel.num_cells) + (panel.start - panel.offsets[:-1])[owner]
    columns = {}
    for name in panel.schema.stored:
        column = panel.schema.columns[name]
        if column.role is Role.KNOWN_FUTURE:
            last = CUTOFF + (panel.schema.lead_steps(name) or 10**6)
        else:
            last = CUTOFF - panel.schema.delay_steps(name)
        held = panel.column(name).numpy().copy()
        late = step > last
        held[late] = held[late] * rng.uniform(1.5, 2.0, late.sum()) + (name == "promo")
        columns[name] = np.minimum(held, 1.0) if name == "promo" else held
    return with_values(panel, columns)


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("futures", [Futures.SAMPLED, Futures.KNOWN])
def test_nothing_that_is_not_known_at_the_cutoff_changes_a_forecast(mode, futures):
    model, changed = coupled(mode), unknown_changed(world())
    assert not np.array_equal(changed.column("y"), world().column("y"))
    before = model.predict(world(), at=at(), quantiles=QUANTILES, futures=futures)
    after = model.predict(changed, at=at(), quantiles=QUANTILES, futures=futures)
    assert np.array_equal(before.quantiles_WHQ, after.quantiles_WHQ)
    assert np.array_equal(before.point_WH, after.point_WH)


def test_logged_futures_do_reach_the_plain_network():
    model = coupled("none")
    logged = model.predict(world(), at=at(), futures=Futures.LOGGED)
    changed = model.predict(unknown_changed(world()), at=at(), futures=Futures.LOGGED)
    assert not np.array_equal(logged.point_WH, changed.point_WH)


@pytest.mark.parametrize("mode", sorted(MODES))
def test_forecasts_are_finite_sorted_and_as_many_as_asked(mode):
    found = coupled(mode).predict(world(), at=at(), quantiles=QUANTILES, samples=6)
    assert found.point_WH.shape == (SERIES, HORIZON)
    assert found.quantiles_WHQ.shape == (SERIES, HORIZON, 3)
    assert found.samples_SWH.shape == (6, SERIES, HORIZON)
    assert (np.diff(found.quantiles_WHQ, axis=-1) >= 0).all()
    for values in (found.point_WH, found.quantiles_WHQ, found.samples_SWH):
        assert np.isfinite(values).all()
        assert (values >= 0).all()


@pytest.mark.parametrize("mode", ["mechanism", "delta", "delta_policy"])
def test_a_step_before_the_first_action_moves_by_exactly_nothing(mode):
    off, late = promo(value=0.0), promo(first=8)
    ask = {"at": at(), "quantiles": QUANTILES}
    one = coupled(mode).predict(world(), action=off, **ask).quantiles_WHQ
    two = coupled(mode).predict(world(), action=late, **ask).quantiles_WHQ
    assert np.array_equal(one[:, :7], two[:, :7])
    assert not np.array_equal(one[:, 7:], two[:, 7:])


def test_the_plain_network_lets_an_action_reach_back():
    one = coupled("none").predict(world(), at=at(), action=promo(value=0.0), quantiles=QUANTILES)
    two = coupled("none").predict(world(), at=at(), action=promo(first=8), quantiles=QUANTILES)
    assert not np.array_equal(one.quantiles_WHQ[:, :7], two.quantiles_WHQ[:, :7])


@pytest.mark.parametrize("mode", ["mechanism", "delta", "delta_policy"])
def test_an_action_on_what_the_target_does_not_follow_moves_nothing(mode):
    half = np.full((SERIES, HORIZON), 0.5, dtype=np.float32)
    less = Soft(shift_WH=np.zeros_like(half), scale_WH=half)
    set_promo = promo(value=0.0)
    both = replace(set_promo, soft={"capacity": less})
    one = coupled(mode).predict(world(), at=at(), action=set_promo, quantiles=QUANTILES)
    two = coupled(mode).predict(world(), at=at(), action=both, quantiles=QUANTILES)
    assert np.array_equal(one.quantiles_WHQ, two.quantiles_WHQ)


def test_no_future_answers_every_action_alike():
    one = coupled("no_future").predict(world(), at=at(), action=promo())
    two = coupled("no_future").predict(world(), at=at(), action=promo(value=0.0))
    assert np.array_equal(one.point_WH, two.point_WH)


def test_causal_couplings_see_that_promotions_lift_orders():
    for mode, factor in (("mechanism", 1.02), ("delta", 1.2), ("delta_policy", 1.2)):
        on = coupled(mode).predict(world(), at=at(), action=promo())
        off = coupled(mode).predict(world(), at=at(), action=promo(value=0.0))
        assert on.point_WH.mean() > factor * off.point_WH.mean(), mode


def test_delta_policy_without_an_action_is_the_networks_own_forecast():
    model = coupled("delta_policy")
    mine = model.predict(world(), at=at(), quantiles=QUANTILES)
    inner = model.inner
    view = model._coupling.seen(world())
    own = inner.predict(view, at=at(), quantiles=QUANTILES)
    assert np.allclose(mine.quantiles_WHQ, own.quantiles_WHQ, atol=1.0)  # whole parcels


def test_delta_never_adds_its_effect_to_raw_history():
    """The network of delta reads the de-actioned panel: no treatment, no trace of one."""
    model = coupled("delta")
    view = model._coupling.seen(world())
    assert not set(view.schema.stored) & {"promo", "price", "capacity"}
    off = with_values(
        world(), {"promo": np.zeros(world().num_cells), "y": world().column("y").numpy()}
    )
    assert not np.array_equal(view.column("y"), reference_panel(model.layer, off).column("y"))


def test_the_base_of_delta_does_not_depend_on_the_action():
    model = coupled("delta")

    def asked(action):
        return Question(
            panel=world(), at=at(), action=action, hidden=False, quantiles=(), samples=None, seed=0
        )

    one = model._coupling.base(asked(promo()))
    assert np.array_equal(one, model._coupling.base(asked(promo(value=0.0))))


def test_columns_that_tell_the_target_nothing_are_left_out_unless_they_are_published_first():
    layer, panel = coupled("delta").layer, world()
    delays = effective_delays(layer, panel)
    assert idle(layer.graph, delays) == {"shipments"}
    early = {**delays, "shipments": delays["orders"] - 1}
    assert "shipments" not in idle(layer.graph, early)
    tied = Graph.from_config({**GRAPH, "bidirected": [["shipments", "orders"]]})
    assert "shipments" not in idle(tied, delays)


def test_auto_is_delta_with_treatments_and_features_without():
    assert build("auto").mode == "delta"
    plain = {
        "nodes": {
            "season": {"kind": "exogenous", "calendar": True},
            "orders": {"kind": "endogenous", "column": "y"},
        },
        "edges": [{"from": "orders", "to": "orders", "lags": [1]}],
    }
    inner = small("linear", windows=SPEC, hardware=HARDWARE, max_steps=2, val_steps=0)
    found = CoupledForecaster(
        inner=inner, graph=Graph.from_config(plain), mode="auto", windows=SPEC
    )
    assert found.mode == "features"


@pytest.mark.parametrize("mode", sorted(MODES))
def test_the_badge_says_what_construction_promises(mode):
    told = build(mode).describe().do_validity
    if mode in DO_VALID:
        assert told == f"do-valid under DAG {Graph.from_config(GRAPH).dag_hash}"
    else:
        assert told == "associational"


@pytest.mark.parametrize("mode", sorted(MODES))
def test_a_saved_model_answers_with_the_same_bits(mode, tmp_path):
    model = coupled(mode)
    model.save(tmp_path)
    again = build(mode).load(tmp_path)
    ask = {"at": at(), "quantiles": QUANTILES, "action": promo(first=3)}
    one, two = model.predict(world(), **ask), again.predict(world(), **ask)
    assert np.array_equal(one.quantiles_WHQ, two.quantiles_WHQ)
    assert again.exposure == model.exposure


def test_another_couplings_folder_is_refused(tmp_path):
    coupled("delta").save(tmp_path)
    with pytest.raises(CheckpointError, match="trained with coupling delta"):
        build("none").load(tmp_path)
    with pytest.raises(CheckpointError, match="was this run trained with a dag"):
        build("none").load(tmp_path / "nowhere")


def test_what_cannot_be_coupled_is_refused():
    with pytest.raises(ConfigError, match="not one of"):
        build("both")
    with pytest.raises(ConfigError, match="at least 2"):
        build(policy_samples=1)
    with pytest.raises(ConfigError, match=r"coupling\.mechanisms"):
        build(mechanisms={"stepps": 3})
    for mode in ("features", "mechanism"):
        with pytest.raises(ConfigError, match="is none"):
            CoupledForecaster(
                inner=SeasonalNaive(windows=SPEC, season=7),
                graph=Graph.from_config(GRAPH),
                mode=mode,
                windows=SPEC,
            )


def test_a_window_before_the_end_of_the_fit_is_refused():
    early = replace(at(), cutoff_W=at().cutoff_W - 1)
    with pytest.raises(LeakageError):
        coupled("delta").predict(world(), at=early)
    with pytest.raises(LeakageError):
        build("delta").predict(world(), at=at())


def test_couplings_share_a_layer_that_is_fitted_once():
    first = coupled("delta")
    weights = first.layer.mechanisms.bias
    inner = small("linear", windows=SPEC, hardware=HARDWARE, max_steps=2, val_steps=0)
    second = CoupledForecaster(
        inner=inner,
        graph=first.graph,
        mode="no_future",
        windows=SPEC,
        layer=first.layer,
    ).fit(world(), until=CUTOFF)
    assert second.layer.mechanisms.bias is weights


def test_the_record_tells_graph_losses_and_exposure():
    facts = coupled("delta").describe().causal
    assert facts["dag_hash"] == Graph.from_config(GRAPH).dag_hash
    assert facts["coupling"] == "delta"
    assert set(facts["losses"]) == {"promo", "price", "capacity", "orders", "shipments"}
    assert facts["exposure_gap"]
    assert all(np.isfinite(v) for v in facts["losses"].values())


def test_any_forecaster_can_be_plain_or_delta():
    for mode in ("none", "no_future", "delta", "delta_policy"):
        model = CoupledForecaster(
            inner=SeasonalNaive(windows=SPEC, season=7),
            graph=Graph.from_config(GRAPH),
            mode=mode,
            windows=SPEC,
            mechanisms=PLAN,
            policy_samples=4,
            layer=coupled("delta").layer,
        ).fit(world(), until=CUTOFF)
        found = model.predict(world(), at=at(), quantiles=QUANTILES, action=promo(first=2))
        assert np.isfinite(found.quantiles_WHQ).all()


def test_same_seed_same_bits():
    one, two = build("delta"), build("delta")
    torch.manual_seed(5)
    first = one.fit(world(), until=CUTOFF).predict(world(), at=at(), quantiles=QUANTILES)
    torch.manual_seed(6)
    second = two.fit(world(), until=CUTOFF).predict(world(), at=at(), quantiles=QUANTILES)
    assert np.array_equal(first.quantiles_WHQ, second.quantiles_WHQ)


def test_a_coupled_forecaster_describes_itself_before_and_after_a_fit():
    before, after = build("delta").describe(), coupled("delta").describe()
    for facts in (before, after):
        assert facts.windows == SPEC
        assert facts.graph.dag_hash == facts.causal["dag_hash"]
        assert not facts.reads_issued
        assert facts.horizons
    assert set(before.causal) == {"dag_hash", "coupling"}
    assert after.static_names == coupled("delta").inner.describe().static_names


def test_a_coupled_forecaster_of_another_horizon_is_coupled_as_before():
    for mode in ("delta", "mechanism"):
        shorter = coupled(mode).with_horizon(3)
        assert isinstance(shorter, CoupledForecaster)
        assert (shorter.mode, shorter.windows.horizon) == (mode, 3)
        assert shorter.fitted_until is None
        assert shorter.layer is not coupled(mode).layer


def test_a_clone_of_a_coupled_forecaster_is_the_one_that_was_built():
    model = build("delta")
    one, two = (each.fit(world(), until=CUTOFF) for each in (model, model.clone()))
    found = [each.predict(world(), at=at()).point_WH for each in (one, two)]
    np.testing.assert_array_equal(*found)
    assert one.layer is not two.layer
    assert model.as_of(world(), until=CUTOFF - 7) is None  # its layer knows what came later
