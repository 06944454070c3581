from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.schema import Schema
from lanecast.data.windows import WindowIndex, WindowSpec, windows_at
from lanecast.errors import CheckpointError, ConfigError, SchemaError
from lanecast.models.classical.lightgbm import LightGBM
from lanecast.models.classical.longframe import fill_gaps

SPEC = WindowSpec(context=28, horizon=10, min_context=7)
SMALL = {"n_estimators": 40, "num_leaves": 7, "min_child_samples": 5}


def make(**options) -> LightGBM:
    return LightGBM(windows=SPEC, season=7, params=SMALL, origins=3, **options)


def window(series: int, cutoff: int) -> WindowIndex:
    return WindowIndex(series_W=np.array([series]), cutoff_W=np.array([cutoff]))


def with_column(panel, name: str, **changes):
    columns = dict(panel.schema.columns)
    columns[name] = replace(columns[name], **changes)
    return replace(panel, schema=Schema(freq=panel.schema.freq, columns=columns))


def wape(forecasts, panel) -> float:
    rows = panel.offsets[forecasts.index.series_W] - panel.start[forecasts.index.series_W]
    ahead = np.arange(1, forecasts.point_WH.shape[1] + 1)
    y_WH = panel.column("y").numpy()[(rows + forecasts.index.cutoff_W)[:, None] + ahead]
    return float(np.nansum(np.abs(forecasts.point_WH - y_WH)) / np.nansum(y_WH))


def test_trees_learn_what_the_season_and_the_promotion_do(make_panel):
    panel = make_panel(steps=200)
    found = make().fit(panel, until=150).predict(panel, at=windows_at(panel, [155, 165], SPEC))
    blind = with_column(panel, "scheduled", role="observed")
    assert wape(found, panel) < 0.12
    assert make().fit(blind, until=150)._columns != make().fit(panel, until=150)._columns


def test_anchor_reproduces_a_column_the_target_equals(panel):
    values = panel.values.clone()
    values[:, 0] = values[:, panel.schema.stored.index("scheduled")]
    same = replace(panel, values=values)
    model = make(anchor="scheduled").fit(same, until=90)
    found = model.predict(same, at=windows_at(same, [95, 100], SPEC))
    assert wape(found, same) < 1e-6


def test_anchor_that_the_panel_does_not_know_is_left_out(plain_panel):
    model = make(anchor="scheduled").fit(plain_panel, until=90)
    assert np.isfinite(model.predict(plain_panel, at=window(0, 95)).point_WH).all()


def test_missing_anchor_names_series_and_step(panel):
    model = make(anchor="scheduled").fit(panel, until=90)
    with pytest.raises(
        SchemaError, match=r"'scheduled' is not known for series 'A>B' at 2024-04-30"
    ):
        model.predict(panel, at=window(0, 115))


def test_missing_known_values_are_counted(panel):
    model = make().fit(panel, until=90)
    assert np.isfinite(model.predict(panel, at=window(0, 115)).point_WH).all()
    assert model.counts["known_missing"] == 6 + 3  # scheduled, and promo up to its lead


def test_delayed_target_is_forecast_over_the_gap(panel):
    late = with_column(panel, "y", delay="P3D")
    found = make().fit(late, until=95).predict(late, at=window(1, 100))
    values = late.values.clone()
    values[late.offsets[1] + 98 :, 0] = 0.0  # steps 98..100 are over, but not yet published
    hidden = replace(late, values=values)
    again = make().fit(late, until=95).predict(hidden, at=window(1, 100))
    assert np.array_equal(found.point_WH, again.point_WH)


def test_window_without_history_gets_zero_and_is_counted(panel):
    model = make().fit(panel, until=60)
    found = model.predict(panel, at=window(2, 70), quantiles=(0.1, 0.9))
    assert np.all(found.point_WH == 0)
    assert model.counts["no_history"] == SPEC.horizon


def test_gaps_in_the_history_are_counted(panel):
    model = make().fit(panel, until=90)
    model.predict(panel, at=window(3, 92))
    assert model.counts["filled_gaps"] == 5


def test_a_fit_with_little_history_has_no_width_and_says_so(panel, tmp_path):
    class Told:
        folder = tmp_path
        said: list[str] = []

        def log(self, step, **values): ...

        def warn(self, message):
            self.said.append(message)

    model = make().fit(panel, until=15, reporter=Told())
    found = model.predict(panel, at=window(0, 20), quantiles=(0.1, 0.9))
    assert np.ptp(found.quantiles_WHQ, axis=-1).max() == 0
    assert "too little history" in Told.said[0]


def test_statics_of_the_fit_are_named_also_after_loading(panel, plain_panel, tmp_path):
    model = make().fit(panel, until=90)
    model.save(tmp_path)
    again = make().load(tmp_path)
    assert model.describe().static_names == again.describe().static_names == ("size",)
    assert make().fit(plain_panel, until=90).describe().static_names == ()


def test_panel_with_other_columns_is_refused(panel, plain_panel):
    with pytest.raises(SchemaError, match=r"was fitted with the columns \['scheduled'"):
        make().fit(panel, until=90).predict(plain_panel, at=window(0, 95))


def test_fit_before_any_series_has_begun_is_refused(panel):
    with pytest.raises(SchemaError, match=r"no series has windows\.min_context=7"):
        make().fit(panel, until=3)


def test_lags_must_be_steps_back():
    with pytest.raises(ConfigError, match=r"model\.lags=\[0, 7\]"):
        make(lags=[0, 7])


def test_checkpoint_of_another_configuration_is_refused(panel, tmp_path):
    make().fit(panel, until=90).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"other options \(anchor\)"):
        make(anchor="scheduled").load(tmp_path)


def test_gaps_take_the_value_of_a_season_earlier_or_the_last_one():
    nan = np.nan
    y_WT = np.array([[nan, 1.0, nan, 3.0, nan, 5.0], [nan] * 6])
    filled_WT, begun_WT = fill_gaps(y_WT, season=3)
    assert filled_WT[0].tolist()[1:] == [1.0, 1.0, 3.0, 1.0, 5.0]
    assert begun_WT.tolist() == [[False, *[True] * 5], [False] * 6]
