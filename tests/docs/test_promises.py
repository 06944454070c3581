"""Each promise of the README stands beside the tests that would break with it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
# Words of the README -> tests that hold them true.
PROMISES = {
    "A second `make demo` skips what is finished": (
        "runs/test_callback.py::test_skip_finished_leaves_a_finished_run_and_runs_the_rest",
    ),
    "It lists only what differs from `conf/data/panel_csv.yaml`": (
        "docs/test_code_blocks.py::test_file_of_ones_own_composes",
    ),
    "A cell that is not visible is not handed to any model, and tests prove it for every model": (
        "models/test_contract.py::test_model_keeps_the_contract",
        "pipeline/test_nothing_of_later.py::test_forecast_depends_on_nothing_that_did_not_exist",
    ),
    "What does not fit is refused with the column, the series, the time and the way out": (
        "workflows/test_messy_table.py::test_check_lists_all_faults_at_once_and_leaves_no_run_folder",
    ),
    "lists all faults of a table at once": (
        "workflows/test_messy_table.py::test_check_lists_all_faults_at_once_and_leaves_no_run_folder",
    ),
    "The same names as the command, no config and no run folder": (
        "docs/test_code_blocks.py::test_python_of_a_page_runs_from_top_to_bottom",
        "test_api_sixteen_lines.py::test_the_job_runs_as_it_is_written",
    ),
    "go the whole way": ("docs/test_notebooks.py::test_notebook_runs",),
    "No model sees what was not known": (
        "audits/test_covering_array.py::test_every_choice_is_clean_and_its_twin_moves",
        "audits/test_covering_array.py::test_every_pair_of_choices_is_clean_and_its_twin_moves",
        "pipeline/test_nothing_of_later.py::test_forecast_depends_on_nothing_that_did_not_exist",
    ),
    "a probe rewrites the raw table and compares forecasts bit by bit": (
        "audits/test_leakage.py::test_a_planted_leak_is_caught_and_refused",
        "audits/test_leaks_by_hand.py::test_statics_scaled_over_series_that_were_not_born_are_named",
    ),
    "Every table names the best of its plain rows": (
        "report/test_yardstick.py::test_yardstick_is_the_best_plain_row_and_named",
        "report/test_yardstick.py::test_a_table_without_plain_rows_says_that_nothing_is_ahead",
    ),
    "A row is ahead only where its interval against that one leaves out 0": (
        "evaluation/test_significance.py::test_interval_p_and_verdict_are_one_rule",
        "evaluation/test_verdict_rate.py::test_size_and_power_of_the_verdict",
    ),
    "Four axes": (
        "report/test_review_page.py::test_the_pack_of_24_runs_opens_offline_and_is_accessible",
    ),
    "a question that the graph does not support is refused": (
        "workflows/test_what_if_verbs.py::"
        "test_what_the_graph_does_not_identify_is_refused_and_bounded_on_request",
    ),
    "A run is a folder": (
        "workflows/test_end_to_end.py::test_train_leaves_record_curves_checkpoints_and_model",
    ),
    "opening one that somebody sent you runs none of its code": (
        "hostile/test_folders.py::test_a_poisoned_folder_is_refused_for_its_own_reason_and_its_twin_runs",
        "hostile/test_weights.py::test_a_bomb_in_the_place_of_weights_does_not_go_off",
    ),
    "A finished run is never overwritten": (
        "runs/test_callback.py::test_a_finished_run_is_refused_and_left_as_it_was",
        "runs/test_owner.py::test_of_twenty_processes_one_writes_the_rows_and_the_rest_say_why",
    ),
    "Weights & Biases is an offline mirror": (
        "hostile/test_offline.py::test_an_offline_run_and_its_children_speak_to_nobody",
    ),
    "A new model is one file and one YAML": (
        "workflows/test_package_of_others.py::test_their_model_trains_backtests_and_compares_as_any_other",
    ),
}


def plain(markdown: str) -> str:
    """Running text: without links, emphasis and line ends."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown.replace("**", ""))
    return " ".join(text.split())


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_stands_in_the_readme_and_its_tests_exist(promise):
    assert promise in plain(README.read_text(encoding="utf-8"))
    for test in PROMISES[promise]:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_every_point_of_difference_has_its_promise():
    section = README.read_text(encoding="utf-8").split("## What makes it different")[1]
    points = section.split("\n## ")[0].split("\n- ")[1:]
    for point in map(plain, points):
        assert any(promise in point for promise in PROMISES), point
