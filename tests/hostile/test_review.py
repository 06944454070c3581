"""Whatever a record says stands in the review page as text: it adds no element and no attribute."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanecast.report.pack import payload
from lanecast.report.page import page
from lanecast.report.table import compare
from run_folders import SUM_ABS_Y, write_run

__all__ = ["write_run"]

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
MARK = "PWNED"
PIECES = (
    *(
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<img src=x onerror=",
        "<svg onload=",
        "]]>",
        "<a href=",
    ),
    *('"', "'", "`", ">", "<", "&", "&lt;", "&#60;", "\\u003c", "javascript:", " onmouseover="),
    *("{{ 7*7 }}", "{% raw %}", "${x}", "\u2028", "x", "</style>", "</title>", "\U0001f600", "\n"),
    f"window.{MARK}=1",
    f"<script>window.{MARK}=1</script>",
    f'"><img src=x onerror="window.{MARK}=1">',
)
ATTACK = PIECES[-1]
markup = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
# Refused by their type in a record; the page escapes them all the same.
TYPED = {"config_hash": "aaaaaaaa", "choices.model": "nhits"}
FIELDS = (
    *TYPED,
    *("warnings", "git.sha", "wandb.id", "data.fingerprint", "model.causal.dag_hash"),
    *("audit.badge", "model.do_validity", "by_cutoff", "scores", "config", "config key"),
    *("reliability", "curve", "folder"),
)


class Outline(HTMLParser):
    """What a browser would build of a page, without its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: set[tuple[str, str]] = set()
        self.links: set[str] = set()
        self.comments = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        for name, value in attrs:
            self.attributes.add((tag, name))
            if name in ("href", "src", "action", "formaction", "xlink:href"):
                inside = (value or "").startswith("#")
                self.links.add("#" if inside else str(value).partition(":")[0])

    def handle_comment(self, data: str) -> None:
        self.comments += 1


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    return parser


def poisoned(record: dict[str, Any], field: str, text: str) -> dict[str, Any]:
    """The record with the text in one of its fields."""
    record = json.loads(json.dumps(record))
    if field == "warnings":
        record["warnings"] = [text, text]
    elif field == "by_cutoff":
        for row in record["by_cutoff"]:
            row["cutoff"] = text
    elif field == "scores":
        record["scores"] |= {f"wape/{text}": 0.2, f"coverage_80/{text}": 0.5}
    elif field == "config":
        record["config"]["note"] = text
    elif field == "config key":
        record["config"][text] = {text: text}
    elif field == "reliability":
        record["reliability"] = [[0.5, 0.5]]
        record["config"][text] = text
    elif field not in ("curve", "folder", *TYPED):
        *parents, last = field.split(".")
        node = record
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = text
    return record


@pytest.fixture
def folder(write_run) -> Path:
    errors = SUM_ABS_Y * 0.1
    folder = write_run("nhits", config_hash="aaaaaaaa", errors=errors, warnings=["few", "two"])
    shutil.copy(folder / "record.json", folder / "sound.json")
    return folder


def written(folder: Path, field: str, text: str) -> str:
    """The page of one run whose record holds the text in that field."""
    record = poisoned(json.loads((folder / "sound.json").read_text()), field, text)
    (folder / "record.json").write_text(json.dumps(record))
    with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["step", "name", "value"])
        rows.writerows([step, text if field == "curve" else "val/wape", 0.5] for step in (1, 2))
    comparison = compare(str(folder))
    data = payload(comparison, comparison.runs)
    if field in TYPED:
        data = renamed(data, TYPED[field], text)
    if field == "folder":
        data["runs"][0]["folder"] = text
    return page(data)


def renamed(value: Any, old: str, new: str) -> Any:
    """The payload with another text in the place of one that has a type."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [renamed(child, old, new) for child in value]
    if isinstance(value, dict):
        return {renamed(key, old, new): renamed(child, old, new) for key, child in value.items()}
    return value


@pytest.mark.parametrize("field", FIELDS)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=markup)
def test_no_text_of_a_record_becomes_markup(folder, field, text):
    clean, dirty = (outline(written(folder, field, words)) for words in ("plain", text))
    assert dirty.elements == clean.elements
    assert dirty.attributes == clean.attributes
    assert dirty.links == clean.links
    assert dirty.comments == clean.comments == 0


def test_the_outline_sees_what_is_not_escaped(folder):
    html = written(folder, "warnings", "plain")
    clean = outline(html)
    for text in (
        "<img src=x>",
        "<svg>",
        "<a href=javascript:x>",
        "<!--x-->",
        "<p onclick=x>",
        ATTACK,
    ):
        dirty = outline(html.replace("<li>plain", f"<li>{text}"))
        assert dirty.elements != clean.elements or dirty.comments, text


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium with chromedriver on the PATH; install both to test the page")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.mark.slow
@pytest.mark.parametrize("field", FIELDS)
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=markup)
def test_no_text_of_a_record_runs_in_a_browser(browser, folder, field, text):
    path = folder / "review.html"
    path.write_text(written(folder, field, f"{text}{ATTACK}"), encoding="utf-8")
    browser.get(path.as_uri())
    assert browser.execute_script("return document.documentElement.dataset.ready") == "true"
    assert browser.execute_script(f"return window.{MARK}") is None
