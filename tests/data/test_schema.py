"""Declarations: the visibility rule in whole steps, and what cannot be declared."""

from dataclasses import dataclass, field

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lanecast.data.schema import ADDED, Column, Role, Schema, step_length
from lanecast.errors import SchemaError

Y = {"role": "target"}


def schema(*, freq="D", **columns):
    return Schema.from_config({"freq": freq, "columns": {"y": Y, **columns}})


def test_axes_list_the_target_first_then_columns_as_declared():
    declared = schema(
        a={"role": "known_future"},
        b={"role": "observed"},
        c={"role": "static"},
        d={"role": "observed"},
    )
    assert declared.past == ("y", "b", "d")
    assert declared.known == ("a",)
    assert declared.static == ("c",)
    assert declared.stored == ("y", "b", "d", "a")


@pytest.mark.parametrize(
    ("freq", "delay", "steps"),
    [("D", None, 0), ("D", "P2D", 2), ("D", "PT1H", 1), ("h", "PT90M", 2), ("W-SUN", "P8D", 2)],
)
def test_delays_are_rounded_up(freq, delay, steps):
    assert schema(freq=freq, x={"role": "observed", "delay": delay}).delay_steps("x") == steps


@pytest.mark.parametrize(
    ("freq", "lead", "steps"),
    [
        ("D", None, None),
        ("D", "P14D", 14),
        ("D", "PT47H", 1),
        ("h", "PT90M", 1),
        ("W-SUN", "P6D", 0),
    ],
)
def test_leads_are_rounded_down(freq, lead, steps):
    assert schema(freq=freq, x={"role": "known_future", "lead": lead}).lead_steps("x") == steps


@given(
    minutes=st.integers(0, 10_000),
    length=st.sampled_from([("15min", 15), ("h", 60), ("D", 1440), ("W-SUN", 10_080)]),
)
@settings(max_examples=50, deadline=None)
def test_rounding_never_shows_a_value_early(minutes, length):
    freq, step = length
    duration = f"PT{minutes}M"
    declared = schema(
        freq=freq,
        seen={"role": "observed", "delay": duration},
        plan={"role": "known_future", "lead": duration},
    )
    delay, lead = declared.delay_steps("seen"), declared.lead_steps("plan")
    assert delay * step >= minutes > (delay - 1) * step
    assert lead * step <= minutes < (lead + 1) * step


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"role": "observed", "lead": "P1D"}, "'x': lead='P1D' needs role known_future"),
        ({"role": "known_future", "delay": "P1D"}, "'x': delay='P1D' needs role observed"),
        ({"role": "static", "delay": "P1D"}, "'x': delay='P1D' needs role observed"),
        ({"role": "observed", "scale": "big"}, "'x': scale='big' is not one of own, target"),
        ({"role": "future"}, "'x': role='future' is not one of target"),
        ({"role": "observed", "delays": "P1D"}, "'x': .*delays"),
        ({"role": "observed", "delay": "soon"}, "'x': delay='soon' is not an ISO duration.*P2D"),
        ({"role": "observed", "delay": 2}, "'x': delay=2 is not an ISO duration.*P2D"),
        ({"role": "known_future", "lead": "14"}, "'x': lead='14' is not an ISO duration.*P2D"),
        ({"role": "observed", "delay": "-P1D"}, "'x': delay='-P1D' is not an ISO duration"),
        ({"role": "observed", "delay": "P1M"}, "'x': delay='P1M' is not an ISO duration.*days or"),
        ({"role": "observed", "delay": "PT"}, "'x': delay='PT' is not an ISO duration"),
    ],
)
def test_a_column_that_cannot_be_is_refused(column, words):
    with pytest.raises(SchemaError, match=words):
        schema(x=column)


def test_a_target_declared_known_future_is_refused():
    with pytest.raises(SchemaError, match=r"'y', must have role target.*role known_future"):
        schema(y={"role": "known_future"})


def test_a_second_target_is_refused():
    with pytest.raises(SchemaError, match=r"exactly one column.*\['y', 'z'\]"):
        schema(z={"role": "target"})


def test_index_columns_must_not_be_declared():
    with pytest.raises(SchemaError, match="'ds' is the index"):
        schema(ds={"role": "observed"})


@pytest.mark.parametrize(
    ("freq", "words"),
    [
        ("daily", "'daily' is not a pandas frequency"),
        ("", "'' is not a pandas frequency"),
        ("1H", "did you mean h"),
        *((freq, "unequal length.*D, h") for freq in ("MS", "ME", "2QE", "YE", "B", "SME")),
        *((freq, "no positive frequency") for freq in (None, 7, 24.0, True, "0h", "-2W-SUN")),
        (["D"], "no positive frequency"),
    ],
)
def test_a_frequency_that_cannot_be_is_refused(freq, words):
    with pytest.raises(SchemaError, match=words):
        schema(freq=freq)


def test_an_unknown_meaning_of_absent_rows_is_refused():
    with pytest.raises(SchemaError, match="absent='skip' is not one of missing, zero"):
        Schema(freq="D", columns={"y": Column(role=Role.TARGET)}, absent="skip")


def test_step_length_of_weeks_and_minutes():
    assert step_length("W-TUE") == pd.Timedelta(days=7)
    assert step_length("15min") == pd.Timedelta(minutes=15)


def test_identity_is_the_repr_of_the_first_day():
    schema = Schema.from_config({"freq": "D", "columns": {"y": {"role": "target", "delay": "P1D"}}})
    assert schema.identity() == (
        "Schema(freq='D', columns={'y': Column(role=<Role.TARGET: 'target'>, delay='P1D',"
        " lead=None, manipulable=False, non_negative=False, integer=False, scale='own')},"
        " absent='missing')"
    )


def test_identity_shows_a_later_field_only_where_it_is_set():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Later(Schema):
        closes_after: str | None = field(default=None, metadata=ADDED)

    columns = {"y": Column(role=Role.TARGET)}
    first = Schema(freq="D", columns=columns).identity()
    unset, given = (Later(freq="D", columns=columns, closes_after=x) for x in (None, "P30D"))
    assert unset.identity().removeprefix("Later") == first.removeprefix("Schema")
    assert given.identity() != unset.identity()
