import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lanecast.cli.search import search_space
from lanecast.errors import ConfigError


def space(*texts):
    return search_space(OverridesParser.create().parse_overrides(list(texts)))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a=x,y", CategoricalDistribution(["x", "y"])),
        ("a=choice(1,2)", CategoricalDistribution(["1", "2"])),
        ("a=range(1,8,2)", IntDistribution(1, 7, step=2)),
        ("a=interval(0,1)", FloatDistribution(0.0, 1.0)),
        ("a=int(interval(2,9))", IntDistribution(2, 9)),
        ("a=tag(log,interval(1e-4,1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
    ],
)
def test_sweep_becomes_a_distribution(text, wanted):
    assert space(text).swept == {"a": wanted}


def test_trial_has_the_fixed_overrides_and_takes_finished_results():
    found = space("model=nhits", "+a.b=1,2", "skip_finished=false")
    assert found.overrides({"+a.b": "2"}) == ["model=nhits", "+a.b=2", "skip_finished=true"]


@pytest.mark.parametrize("text", ["a=interval(2,1)", "a=tag(log,interval(0,1))"])
def test_empty_interval_is_refused(text):
    with pytest.raises(ConfigError, match="first number below its second"):
        space(text)


def test_nothing_to_search_is_refused():
    with pytest.raises(ConfigError, match="nothing to search"):
        space("model=nhits")


def test_another_space_is_another_study():
    names = {
        space("a=interval(0,1)").name("minimize"),
        space("a=interval(0,2)").name("minimize"),
        space("a=interval(0,1)", "b=3").name("minimize"),
        space("a=interval(0,1)").name("maximize"),
    }
    assert len(names) == 4
    assert space("c=1", "a=1,2").name("minimize") == space("a=1,2", "c=1").name("minimize")
