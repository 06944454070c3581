"""Static columns: encoded, kept for slices, and refused where they make no sense."""

import numpy as np
import pandas as pd
import pytest

from lanecast.data.statics import MAX_LEVELS, vocabulary_of
from small_tables import load, long_table, refused, says, schema

STATIC = {"region": {"role": "static"}, "size": {"role": "static"}}
SITES = pd.DataFrame({"unique_id": ["b", "a"], "region": ["west", "east"], "size": [2, 1]})


def test_statics_are_numbers_and_indicators():
    panel = load(long_table(), schema(**STATIC), statics=SITES)
    assert panel.static_names == ("region=east", "region=west", "size")
    assert panel.statics.tolist() == [[1, 0, 1], [0, 1, 2]]
    assert panel.attributes["region"].tolist() == ["east", "west"]


def test_statics_may_stand_in_the_long_table():
    frame = long_table(region="east", size=np.repeat([1, 2], 10))
    panel = load(frame, schema(**STATIC))
    assert panel.statics.tolist() == [[1, 1], [1, 2]]


def test_a_static_that_varies_is_refused():
    frame = long_table(size=np.arange(20))
    message = refused(frame, schema(size={"role": "static"}))
    says(message, "'size'", "varies within series 'a'", "declare it observed")


def test_a_series_without_its_statics_is_refused():
    message = refused(long_table(), schema(**STATIC), statics=SITES.iloc[:1])
    says(message, "'region'", "'a'", "supply it")


def test_an_undeclared_static_is_refused():
    says(refused(long_table(), statics=SITES), "'region'", "role static", "data.source.drop")


def test_a_static_declared_but_absent_is_refused():
    message = refused(long_table(), schema(size={"role": "static"}))
    says(message, "'size'", "neither", "remove its declaration")


def test_an_infinite_static_is_refused():
    sites = SITES.assign(size=[1.0, np.inf])
    message = refused(long_table(), schema(**STATIC), statics=sites)
    says(message, "'size'", "'a'", "float32", "change its unit")


def test_two_rows_of_statics_for_one_series_are_refused():
    twice = pd.concat([SITES, SITES.iloc[:1]])
    says(refused(long_table(), schema(**STATIC), statics=twice), "'b'", "more than one", "keep one")


def test_a_vocabulary_encodes_a_second_table_like_the_first():
    first = load(long_table(), schema(**STATIC), statics=SITES)
    vocabulary = vocabulary_of(first.schema, first.static_names)
    other = SITES.assign(region=["north", "west"])
    panel = load(long_table(), schema(**STATIC), statics=other, vocabulary=vocabulary)
    assert panel.static_names == first.static_names
    assert panel.statics.tolist() == [[0, 1, 1], [0, 0, 2]]
    assert panel.counts["unknown_static_levels"] == 1


def test_a_static_of_another_type_than_before_is_refused():
    first = load(long_table(), schema(**STATIC), statics=SITES)
    vocabulary = vocabulary_of(first.schema, first.static_names)
    other = SITES.assign(size=["big", "small"])
    message = refused(long_table(), schema(**STATIC), statics=other, vocabulary=vocabulary)
    says(message, "'size'", "text", "numbers", "same type")


def test_too_many_levels_are_kept_but_not_encoded():
    ids = [f"s{i:03}" for i in range(MAX_LEVELS + 1)]
    statics = pd.DataFrame({"unique_id": ids, "site": ids})
    panel = load(long_table(ids=ids), schema(site={"role": "static"}), statics=statics)
    assert panel.statics.shape == (MAX_LEVELS + 1, 0)
    assert panel.attributes["site"].tolist() == ids
    again = vocabulary_of(panel.schema, panel.static_names)
    assert (
        load(long_table(ids=ids), panel.schema, statics=statics, vocabulary=again).static_names
        == ()
    )


@pytest.mark.parametrize(("count", "told"), [(64, False), (65, True), (200, True)])
def test_a_static_of_more_levels_than_are_encoded_is_told(count, told):
    ids = [f"s{number}" for number in range(count)]
    frame = long_table(days=3, ids=ids)
    frame["zip"] = "Z" + frame["unique_id"]
    panel = load(frame, schema(zip={"role": "static"}))
    assert bool(panel.static_names) is not told
    assert any(f"'zip' has {count} different texts" in line for line in panel.warnings) is told


@pytest.mark.parametrize("other", ["A ", "a", "\u00a0A"])
def test_statics_of_an_id_that_looks_alike_are_named(other):
    statics = pd.DataFrame({"unique_id": [other, "b"], "region": ["n", "s"]})
    message = refused(
        long_table(ids=["A", "b"]), schema(region={"role": "static"}), statics=statics
    )
    says(message, "'region' is missing for series 'A'", f"their table has {other!r}")
