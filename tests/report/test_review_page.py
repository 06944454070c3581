"""The reviewer pack in a real browser, with the network off; needs chromium and its driver."""

import csv
import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lanecast.report.pack import payload
from lanecast.report.page import write_page
from lanecast.report.rendering import write
from lanecast.report.table import compare_runs
from lanecast.runs.reading import read_runs

pytestmark = pytest.mark.slow
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
SUM_ABS_Y = np.array([100.0, 200.0, 100.0, 300.0, 200.0, 100.0])
LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def fill(folder: Path, rng: np.random.Generator, *, actuals: bool) -> None:
    """Forecasts of 180 lanes at 6 cutoffs, 14 days ahead, and a curve of 2,000 steps."""
    cutoffs = pd.date_range("2024-01-01", periods=6, freq="14D")
    index = pd.MultiIndex.from_product(
        [[f"A>{k:03d}" for k in range(180)], cutoffs, range(1, 15)],
        names=["unique_id", "cutoff", "step"],
    )
    frame = index.to_frame(index=False)
    frame["ds"] = frame["cutoff"] + pd.to_timedelta(frame.pop("step"), unit="D")
    level = 20.0 + frame["unique_id"].str[2:].astype(float) + rng.normal(0, 3, len(frame))
    frame = frame[["unique_id", "ds", "cutoff"]].assign(m=level)
    for tau in LEVELS:
        frame[f"m-q{tau:g}"] = level + 10 * (tau - 0.5)
    frame.to_parquet(folder / "forecasts.parquet")
    actual = frame[["unique_id", "ds"]].assign(y=level + rng.normal(0, 3, len(frame)))
    if actuals:  # runs recorded by earlier versions have none
        actual.drop_duplicates(["unique_id", "ds"]).to_parquet(folder / "actuals.parquet")
    lines = [
        f"{k},{name},{1 / (k + 1) + 0.1!r}"
        for k in range(2000)
        for name in ("train/loss", "val/wape")
    ]
    (folder / "metrics.csv").write_text("\n".join(["step,name,value", *lines, ""]))


@pytest.fixture
def pack(tmp_path, write_run) -> Path:
    """The pack of 24 runs: 8 configurations of 3 seeds, one of them audited under do."""
    return written(tmp_path, write_run)


@pytest.fixture
def pack_without_actuals(tmp_path, write_run) -> Path:
    return written(tmp_path, write_run, actuals=False)


def written(tmp_path, write_run, *, actuals: bool = True) -> Path:
    rng = np.random.default_rng(0)
    for number in range(8):
        for seed in (1, 2, 3):
            errors = SUM_ABS_Y * (0.1 + 0.01 * number) + rng.uniform(0, 1, 6)
            folder = write_run(
                f"model{number}",
                config_hash=f"{number}aaaaaaa",
                errors=errors,
                seed=seed,
                config={"optim": {"lr": 0.001 * (number + 1)}},
                scores={
                    "wape": float(errors.sum() / SUM_ABS_Y.sum()), "bias": -0.01, "mase": 0.9,
                    "wql": 0.08, "coverage_80": 0.78, "coverage_90": 0.88,
                    "wape/h01-07": 0.1, "wape/h08-14": 0.2, "coverage_80/h01-07": 0.8,
                    "coverage_80/h08-14": 0.76,
                },
                reliability=[[tau, tau**1.1] for tau in LEVELS],
                warnings=["windows were few"] if number == 3 else [],
                futures={"leakage_wape_points": 1.5 + seed} if number == 2 else {},
            )  # fmt: skip
            fill(folder, rng, actuals=actuals)
    comparison = compare_runs(read_runs(str(tmp_path / "demo")).runs, baseline="model0")
    write(comparison, tmp_path / "out")
    write_page(payload(comparison, comparison.runs), tmp_path / "out" / "review.html")
    return tmp_path / "out" / "review.html"


@pytest.fixture(params=["light", "dark"])
def browser(request):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium with chromedriver on the PATH; install both to test the page")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1280,1600"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    scheme = {"features": [{"name": "prefers-color-scheme", "value": request.param}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    yield driver
    driver.quit()


def test_the_pack_of_24_runs_opens_offline_and_is_accessible(pack, browser):
    from axe_selenium_python import Axe
    from selenium.webdriver.common.by import By

    assert pack.stat().st_size < 10_000_000
    started = time.perf_counter()
    browser.get(pack.as_uri())
    assert browser.execute_script("return document.documentElement.dataset.ready") == "true"
    assert time.perf_counter() - started < 2
    show_everything(browser)
    axe = Axe(browser)
    axe.inject()
    found = axe.run()
    assert found["violations"] == [], json.dumps([one["id"] for one in found["violations"]])
    assert unrated(found) <= {"imgNode", "shortTextContent"}  # labels in charts; single digits
    assert min(contrasts(browser)) >= 3  # WCAG 1.4.11, of lines in charts
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    with (pack.parent / "compare.csv").open() as file:
        table = {row["hash"]: row for row in csv.DictReader(file)}
    cells = browser.find_elements(By.CSS_SELECTOR, "[aria-labelledby=leaderboard] td[data-value]")
    assert len(cells) >= 6 * len(table)
    for cell in cells:
        row, column = table[cell.get_attribute("data-hash")], cell.get_attribute("data-column")
        assert float(cell.get_attribute("data-value")) == float(row[column])
        digits = {"leakage": 2, "num_runs": 0}.get(column, 4)
        assert cell.text == f"{float(row[column]):.{digits}f}"
    told = browser.find_elements(By.CSS_SELECTOR, "[aria-labelledby=leaderboard] td.num")
    assert all(cell.get_attribute("data-value") or cell.text == "not measured" for cell in told)
    assert "leakage" in {cell.get_attribute("data-column") for cell in cells}


def show_everything(browser) -> None:
    """Open what is folded and enlarge the window: axe rates no contrast outside of it."""
    browser.execute_script(
        "document.querySelectorAll('details').forEach((one) => { one.open = true; });"
        "document.querySelector('main').style.maxWidth = 'none';"
    )
    width, height = browser.execute_script(
        "const root = document.documentElement;"
        "const wide = [...document.querySelectorAll('.scroll')].map((one) => one.scrollWidth);"
        "return [Math.max(...wide), root.scrollHeight];"
    )
    metrics = {"width": width + 200, "height": height + 200, "deviceScaleFactor": 1}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics | {"mobile": False})


def unrated(found) -> set[str]:
    """Why axe could not rate the contrast of an element."""
    nodes = [node for one in found["incomplete"] for node in one["nodes"]]
    return {
        (check.get("data") or {}).get("missingData") or check["data"]["messageKey"]
        for node in nodes
        for check in node["any"]
    }


def contrasts(browser) -> list[float]:
    """WCAG contrast of every line and label of a chart with the page."""
    script = (
        "const told = (css, key) => [...document.querySelectorAll(css)]"
        ".map((one) => getComputedStyle(one)[key]);"
        "return [told('body', 'backgroundColor')[0], [...told('svg .series, svg .actual',"
        " 'stroke'), ...told('svg text', 'fill')]];"
    )
    ground, inks = browser.execute_script(script)
    pairs = [sorted((luminance(ground), luminance(ink))) for ink in inks]
    return [(light + 0.05) / (dark + 0.05) for dark, light in pairs]


def luminance(color: str) -> float:
    channels = np.array([float(one) for one in re.findall(r"[\d.]+", color)[:3]]) / 255
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_runs_without_actuals_draw_without_a_console_error(pack_without_actuals, browser):
    browser.get(pack_without_actuals.as_uri())
    assert browser.execute_script("return document.querySelectorAll('#chart-fan .band').length")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_lane_is_picked_with_the_keyboard(pack, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.get(pack.as_uri())
    before = browser.find_element(By.ID, "told-fan").text
    lane = browser.find_element(By.ID, "fan-lane")
    lane.send_keys(Keys.ARROW_DOWN)
    told = browser.find_element(By.ID, "told-fan").text
    assert lane.get_attribute("value") in told
    assert told != before
    assert "actual values inside the 80 % interval" in told
    assert browser.find_elements(By.CSS_SELECTOR, "#chart-fan svg .band")


def test_two_configurations_are_told_apart(pack, browser):
    from selenium.webdriver.common.by import By

    browser.get(pack.as_uri())
    assert "1 keys differ" in browser.find_element(By.ID, "diff").text
    assert "optim.lr" in browser.find_element(By.ID, "diff").text
