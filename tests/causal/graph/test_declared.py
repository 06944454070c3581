"""Every graph of conf/dag composes, is plain data, and fits the data config of its name."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from lanecast.causal.graph.graph import Graph
from lanecast.causal.graph.identify import check_effect
from lanecast.data.schema import Schema
from lanecast.errors import NotIdentified

CONF = Path(__file__).parents[3] / "conf"
DAGS = sorted(path.stem for path in (CONF / "dag").glob("*.yaml"))
GRAPHS = [name for name in DAGS if name != "none"]


def composed(group, name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(f"{group}/{name}")
    # Not resolved: paths.data is of no interest here.
    return OmegaConf.to_container(cfg, resolve=False).get(group)


def graph_of(name):
    return Graph.from_config(composed("dag", name))


def test_none_declares_nothing():
    assert not composed("dag", "none")


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_fits_its_data_config_and_the_daily_windows(name):
    schema = Schema.from_config(composed("data", name)["schema"])
    graph_of(name).check(schema, context=composed("windows", "daily_14")["context"])


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_reads_the_same_from_hydra_and_from_plain_data(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(f"dag/{name}").dag
    assert Graph.from_config(cfg).dag_hash == graph_of(name).dag_hash


@pytest.mark.parametrize("name", DAGS)
def test_a_graph_calls_nothing(name):
    assert "_target_" not in (CONF / "dag" / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", ["midmile", "midmile_network"])
@pytest.mark.parametrize("treatment", ["promo", "price", "capacity"])
def test_every_action_of_midmile_is_identified(name, treatment):
    graph = graph_of(name)
    for outcome in ("orders", "shipments"):
        check_effect(graph, treatment=treatment, outcome=outcome, horizon=14)


def test_a_confounded_price_of_midmile_is_refused():
    graph = Graph.from_config({**composed("dag", "midmile"), "bidirected": [["orders", "price"]]})
    with pytest.raises(NotIdentified, match="price"):
        check_effect(graph, treatment="price", outcome="orders", horizon=14)
