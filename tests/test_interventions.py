"""What do() means, kind by kind, and what it refuses to mean."""

import numpy as np
import pytest

from lanecast.errors import ConfigError
from lanecast.interventions import Intervention, Kind

SERIES = np.array(["A>X", "A>Y", "B>X"])
HORIZON = 6
PLANNED = np.arange(1.0, 19.0).reshape(3, HORIZON)


def path(**options):
    return Intervention(node="promo", **options).path(PLANNED, SERIES)


def test_hard_sets_the_value():
    assert (path(value=4.0) == 4.0).all()


def test_shift_adds_and_scale_multiplies_what_was_planned():
    assert np.array_equal(path(kind="shift", value=-2.0), PLANNED - 2.0)
    assert np.array_equal(path(kind="scale", value=0.5), PLANNED * 0.5)


def test_delay_moves_the_plan_back_and_nothing_comes_before_it():
    found = path(kind="delay", value=2)
    assert (found[:, :2] == 0).all()
    assert np.array_equal(found[:, 2:], PLANNED[:, :-2])


def test_a_delay_beyond_the_horizon_leaves_nothing():
    assert (path(kind="delay", value=HORIZON + 3) == 0).all()


def test_random_draws_zeros_and_ones_of_its_own_seed():
    shape = np.zeros((400, 50))
    names = np.array([str(k) for k in range(400)])

    def drawn(**options):
        return Intervention(node="promo", kind="random", value=0.3, **options).path(shape, names)

    assert set(np.unique(drawn())) == {0.0, 1.0}
    assert drawn().mean() == pytest.approx(0.3, abs=0.01)
    assert np.array_equal(drawn(seed=3), drawn(seed=3))
    assert not np.array_equal(drawn(seed=3), drawn(seed=4))


@pytest.mark.parametrize("kind", list(Kind))
def test_outside_its_steps_and_series_the_plan_stays(kind):
    value = 1.0 if kind in (Kind.DELAY, Kind.RANDOM) else 7.0
    found = path(kind=kind, value=value, first=2, last=4, series=("A>Y",))
    kept = np.ones_like(PLANNED, dtype=bool)
    kept[1, 1:4] = False
    assert np.array_equal(found[kept], PLANNED[kept])
    assert (found[~kept] != PLANNED[~kept]).all()


def test_steps_count_from_one_and_reach_the_end_unless_told():
    touched = Intervention(node="promo", first=3).touched(SERIES, HORIZON)
    assert touched.tolist() == [[False, False, True, True, True, True]] * 3
    late = Intervention(node="promo", first=5, last=99).touched(SERIES, HORIZON)
    assert late.sum() == 6
    assert not Intervention(node="promo", first=9).touched(SERIES, HORIZON).any()


def test_what_is_touched_may_be_written_to():
    touched = Intervention(node="promo").touched(SERIES, HORIZON)
    touched[0, 0] = False
    assert touched[1, 0]


def test_the_plan_that_is_handed_in_is_left_alone():
    before = PLANNED.copy()
    path(kind="delay", value=1)
    path(kind="scale", value=3.0)
    assert np.array_equal(before, PLANNED)


def test_a_series_that_is_not_there_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"do\(promo\): there is no series 'C>X'"):
        path(value=1.0, series=("A>X", "C>X"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "push"}, r"kind='push' is not one of hard, shift, scale, delay, random"),
        ({"first": 0}, r"steps 0\.\.None are no span.*step 1 is the first one predicted"),
        ({"first": 5, "last": 4}, r"steps 5\.\.4 are no span"),
        ({"kind": "delay", "value": 0}, r"a delay is a whole number of steps, at least 1"),
        ({"kind": "delay", "value": 1.5}, r"a delay is a whole number of steps"),
        ({"kind": "random", "value": 1.2}, r"1\.2 is no probability"),
        ({"kind": "random", "value": -0.1}, r"-0\.1 is no probability"),
        ({"value": float("nan")}, r"value=nan is not a finite number"),
        ({"kind": "delay", "value": float("nan")}, r"value=nan is not a finite number"),
        ({"kind": "shift", "value": float("inf")}, r"value=inf is not a finite number"),
    ],
)
def test_what_has_no_meaning_is_refused(options, words):
    with pytest.raises(ConfigError, match=rf"do\(promo\): .*{words}"):
        Intervention(node="promo", **options)


def test_a_mapping_is_read_and_a_wrong_key_named_with_the_right_ones():
    found = Intervention.from_config({"node": "price", "kind": "scale", "value": 1.1, "last": 3})
    assert found == Intervention(node="price", kind=Kind.SCALE, value=1.1, last=3)
    with pytest.raises(ConfigError, match=r"'steps'.*its keys are node, kind, value, first, last"):
        Intervention.from_config({"node": "price", "steps": 3})


def test_series_are_text_in_any_sequence():
    assert Intervention(node="promo", series=[1, 2]).series == ("1", "2")
