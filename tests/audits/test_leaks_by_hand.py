"""Leaks that were there once, put back by hand: the probe names the rewrite that moves each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lanecast.audits.leakage import SECOND, Subject, probe, refuse
from lanecast.data.ingest.layout import panel_from_table
from lanecast.data.panel import Panel
from lanecast.errors import LeakageError
from lanecast.models.classical.naive import SeasonalNaive
from rewrite_tables import CUTOFF, SPEC, STEP, raw_tables, schema_of

WHOLE: dict[str, Panel] = {}  # what a leak reads: the panel of the whole table, not as it was known


class StaticsOfAll(SeasonalNaive):
    """Its statics are scaled over all series, those that were not born among them."""

    def point(self, panel, at):
        traits = WHOLE["panel"].statics.numpy()
        return super().point(panel, at) / (1 + traits.std(axis=0).sum())


class DrawsByNodes(SeasonalNaive):
    """Its draws depend on how many series there are."""

    def point(self, panel, at):
        draws = np.random.default_rng(3).normal(size=(WHOLE["panel"].num_series, 7)).sum(axis=0)
        return super().point(panel, at) + draws


class NoiseByPosition(SeasonalNaive):
    """Its noise goes by the place of a window among all that were asked."""

    def point(self, panel, at):
        noise = np.random.default_rng(3).normal(size=(7, len(at)))
        return super().point(panel, at) + noise.T


class MissingIsZero(SeasonalNaive):
    """Takes a promotion that is missing ahead for a day without parcels."""

    def point(self, panel, at):
        whole = WHOLE["panel"]
        first = whole.offsets[:-1] - whole.start + int(at.cutoff_W[0]) + 1
        promo = whole.column("promo").numpy()
        ahead = promo[(first[:, None] + np.arange(7)).clip(0, len(promo) - 1)]
        return super().point(panel, at) + np.isnan(ahead).sum()


def subject(leaky: type[SeasonalNaive], **options: Any) -> Subject:
    tables = options.pop("tables", None) or raw_tables(schema_of("promo"))

    def lay_out(table, future=None):
        panel = panel_from_table(table, tables.schema, future=future)
        WHOLE["panel"] = panel
        return panel

    values = {
        "table": tables.source,
        "schema": tables.schema,
        "lay_out": lay_out,
        "model": leaky(windows=SPEC, season=7),
        "spec": SPEC,
        "cutoff": CUTOFF,
        **options,
    }
    return Subject(**values)


def test_the_same_pipeline_without_a_leak_is_clean_at_one_cutoff_and_at_two():
    verdict = probe(subject(SeasonalNaive, step=STEP), controls=False)
    assert verdict.told == "clean"
    assert verdict.movers == ()
    assert f"{SECOND}never" in verdict.tried
    assert f"{SECOND}each" in verdict.tried


def test_statics_scaled_over_series_that_were_not_born_are_named():
    verdict = probe(subject(StaticsOfAll), controls=False)
    assert {"series born", "new static levels"} <= set(verdict.movers)
    assert "hidden values changed" not in verdict.movers
    with pytest.raises(LeakageError, match="new static levels"):
        refuse(verdict, "leaky")


def test_draws_that_depend_on_the_number_of_nodes_are_named():
    verdict = probe(subject(DrawsByNodes), controls=False)
    assert {"series born", "new static levels"} <= set(verdict.movers)
    assert "hidden rows removed" not in verdict.movers


def test_noise_by_the_place_in_a_batch_is_named_by_the_second_cutoff(monkeypatch):
    def all_at_once(model, panel, *, at, **options):
        return model.predict(panel, at=at, **options)

    assert probe(subject(NoiseByPosition, step=STEP), controls=False).told == "clean"
    monkeypatch.setattr("lanecast.pipeline.folds.predict_as_known", all_at_once)
    verdict = probe(subject(NoiseByPosition, step=STEP, refits=("never",)), controls=False)
    assert verdict.movers == (f"{SECOND}never",)


def test_a_promotion_that_is_missing_where_no_row_is_moves_with_zeros_written_out(monkeypatch):
    monkeypatch.setattr("lanecast.data.ingest.absence._telling", lambda *_: iter(()))
    tables = raw_tables(schema_of("plan", absent="zero"), gaps=True)
    verdict = probe(subject(MissingIsZero, tables=tables), controls=False)
    assert "absent rows written as zeros" in verdict.movers


def test_a_leak_that_needs_two_rewrites_at_once_is_told_as_the_two():
    class NeedsBoth(SeasonalNaive):
        def point(self, panel, at):
            whole = WHOLE["panel"]
            longer = int(whole.end.max()) > 160
            born = whole.num_series > 7
            return super().point(panel, at) + (longer and born)

    verdict = probe(subject(NeedsBoth), controls=False)
    assert verdict.told == "leak"
    (mover,) = verdict.movers
    assert mover.split(" with ") == ["a longer panel", "new static levels"]
