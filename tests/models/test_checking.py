"""`lanecast.testing.check_forecaster`: passes what keeps the contract, names what does not."""

import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest

from lanecast.data.schema import Role
from lanecast.data.visibility.visible import cells
from lanecast.data.windows import WindowSpec
from lanecast.errors import ConfigError
from lanecast.testing import check_forecaster, contract
from package_of_others import write_their_package

SPEC = WindowSpec(context=21, horizon=7)


@pytest.fixture(scope="module")
def their_model(tmp_path_factory):
    folder = write_their_package(tmp_path_factory.mktemp("theirs"))
    sys.path.insert(0, str(folder))
    from their_package.models import TheirModel

    yield TheirModel
    sys.path.remove(str(folder))
    del sys.modules["their_package.models"], sys.modules["their_package"]


def test_a_model_of_somebody_else_passes_by_class_by_function_and_as_an_object(their_model):
    check_forecaster(their_model)
    check_forecaster(lambda: their_model(windows=SPEC))
    check_forecaster(their_model(windows=SPEC, width=0.5))


def test_a_class_that_keeps_nothing_is_told_so():
    class Nothing:
        def __init__(self, windows):
            self.windows = windows

    with pytest.raises(AssertionError, match=r"keeps_the_protocol: .*describe"):
        check_forecaster(Nothing, claims=["keeps_the_protocol"])


def reads_the_answer(self, panel, **asked):
    answer = self.honest(panel, **asked)
    truth_WH = cells(panel, asked["at"], "y", np.arange(1, self.windows.horizon + 1))
    return replace(answer, point_WH=answer.point_WH + 1e-9 * np.nan_to_num(truth_WH))


def ignores_the_seed(self, panel, **asked):
    return self.honest(panel, **{**asked, "seed": 0})


def draws_anew(self, panel, **asked):
    return self.honest(panel, **{**asked, "seed": int(np.random.default_rng().integers(1 << 30))})


def turns_quantiles_around(self, panel, **asked):
    answer = self.honest(panel, **asked)
    return replace(answer, quantiles_WHQ=answer.quantiles_WHQ[..., ::-1])


def leaves_paths_out(self, panel, **asked):
    return replace(self.honest(panel, **asked), samples_SWH=None)


def answers_in_its_own_order(self, panel, **asked):
    order = np.lexsort((asked["at"].series_W, asked["at"].cutoff_W))
    return self.honest(panel, **{**asked, "at": asked["at"][order]})


def forgets_what_it_saw(self, panel, **asked):
    kept, self.fitted_until = self.fitted_until, 0
    answer = self.honest(panel, **asked)
    self.fitted_until = kept
    return answer


@pytest.mark.parametrize(
    ("predict", "claim"),
    [
        (reads_the_answer, "ignores_everything_unknown_at_the_cutoff"),
        (ignores_the_seed, "same_seed_gives_the_same_forecast"),
        (draws_anew, "same_seed_gives_the_same_forecast"),
        (turns_quantiles_around, "forecasts_are_whole_finite_and_sorted"),
        (leaves_paths_out, "forecasts_are_whole_finite_and_sorted"),
        (answers_in_its_own_order, "windows_are_answered_in_the_order_asked"),
        (forgets_what_it_saw, "refuses_a_cutoff_before_the_end_of_its_fit"),
    ],
)
def test_a_forecast_that_breaks_the_contract_is_named_by_its_claim(their_model, predict, claim):
    liar = type("Liar", (their_model,), {"predict": predict, "honest": their_model.predict})
    with pytest.raises(AssertionError, match=claim):
        check_forecaster(liar)


def fits_on_what_was_not_known(self, panel, *, until, reporter=None):
    type(self).__base__.fit(self, panel, until=until)
    self.spread += float(np.nan_to_num(panel.values.numpy()[-1, 0]))
    return self


def remembers_its_first_fit(self, panel, *, until, reporter=None):
    spread = self.spread
    type(self).__base__.fit(self, panel, until=until)
    self.spread += spread or 0.0
    return self


def pickles_itself(self, folder):
    type(self).__base__.save(self, folder)
    (folder / "all.pkl").write_bytes(pickle.dumps(self.spread))


def loads_another(self, folder):
    type(self).__base__.load(self, folder)
    self.spread *= 2
    return self


def says_that_it_reads_promotions(self):
    facts = type(self).__base__.describe(self)
    return replace(facts, uses=facts.uses | {Role.KNOWN_FUTURE})


@pytest.mark.parametrize(
    ("member", "lie", "claim"),
    [
        ("fit", fits_on_what_was_not_known, "its fit depends on what was not known"),
        ("fit", remembers_its_first_fit, "refits_start_afresh"),
        ("save", pickles_itself, "pickles run code"),
        ("load", loads_another, "saved_state_forecasts_as_before"),
        ("describe", says_that_it_reads_promotions, "does not move with it"),
        ("clone", lambda self: self, "clones_are_fitted_on_their_own"),
    ],
)
def test_a_member_that_breaks_the_contract_is_named_by_its_claim(their_model, member, lie, claim):
    liar = type("Liar", (their_model,), {member: lie})
    with pytest.raises(AssertionError, match=claim):
        check_forecaster(liar)


def test_every_claim_that_fails_is_told(their_model):
    liar = type("Liar", (their_model,), {"save": pickles_itself, "fit": remembers_its_first_fit})
    with pytest.raises(AssertionError) as told:
        check_forecaster(liar)
    names = [line.partition(":")[0] for line in str(told.value).splitlines()]
    assert {"refits_start_afresh", "saved_state_forecasts_as_before"} <= set(names)


def test_contract_says_every_claim_in_a_sentence():
    assert len(contract()) >= 14
    assert all(sentence.endswith(".") for sentence in contract().values())


def test_an_unknown_claim_is_refused(their_model):
    with pytest.raises(ConfigError, match="keeps_the_protocol"):
        check_forecaster(their_model, claims=["is_nice"])
