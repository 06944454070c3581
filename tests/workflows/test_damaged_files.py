"""Every file of a run folder and of a store, damaged in four ways: what each verb says of it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from script_runner import Script, scripts_in

SMALL = ["trainer=smoke", "trainer.progress=false", "tracking=none", "optim.val_every=2"]
SHORT = ["windows.context=14", "windows.horizon=7", "windows.min_context=7"]
TWIN = ["data=midmile", "data.source.preset=tiny", "model=seasonal_naive", "tracking=none"]
DAILY = ["protocol.first_cutoff=2023-06-01", "protocol.samples=8", "protocol.step=1"]
PARTS = ["data=panel_store", "data.path=parts", "data.store=lanes.store"]
TRAINED, DAYS, STORE = "runs/trained", "runs/days", "lanes.store"
# What each verb reads of a folder: a damage there may not go by in silence.
READS: dict[str, dict[str, tuple[str, ...]]] = {
    TRAINED: {
        "forecast run=TRAINED name=f": ("model/*", ".hydra/config.yaml", "record.json"),
        "check run=TRAINED": (".hydra/config.yaml", "record.json"),
        "train run=TRAINED name=again": (".hydra/config.yaml", "record.json"),
        "compare runs=TRAINED metrics=[objective] out=cmp": ("record.json", "metrics.csv"),
    },
    DAYS: {
        "plan run=DAYS name=p": ("samples.parquet", "actuals.parquet", "record.json"),
        "replan run=DAYS name=rp": ("samples.parquet", "actuals.parquet", "record.json"),
        "compare runs=DAYS out=cmp": (
            *("record.json", "forecasts.parquet", "actuals.parquet", "metrics.csv"),
        ),
        "record runs=DAYS out=ex slug=s question=q factor=f fixed=x verdict=v.": (
            *("record.json", "forecasts.parquet", ".hydra/config.yaml"),
        ),
        "backtest run=DAYS name=b": ("model/*", ".hydra/config.yaml", "record.json"),
        "runs root=runs/days": ("record.json",),
    },
    STORE: {
        "check STORE": ("*",),
        "train STORE model=seasonal_naive name=t": ("*",),
    },
}
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "junk": lambda content: np.random.default_rng(0).bytes(len(content) or 100),
    "flipped": lambda content: (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 4])
        + content[len(content) // 2 + 1 :]
    ),
}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Script]:
    """A trained run, a backtest on every day, and a store, in the folder where verbs are run."""
    folder = tmp_path_factory.mktemp("damaged")
    with pytest.MonkeyPatch.context() as patch, scripts_in(folder, patch) as run:
        rng = np.random.default_rng(0)
        days = pd.date_range("2026-01-01", periods=90)
        table = pd.concat(
            pd.DataFrame({"unique_id": lane, "ds": days, "y": rng.poisson(20, 90)})
            for lane in ("a", "b")
        )
        table.to_csv("lanes.csv", index=False)
        Path("parts").mkdir()
        table.assign(y=table["y"].astype(float)).to_parquet("parts/0.parquet", index=False)
        data = ["data=panel_csv", "data.path=lanes.csv", *SHORT]
        assert run("train", *data, "model=linear", *SMALL, "name=trained") == 0
        assert run("backtest", *TWIN, *DAILY, "protocol.count=2", "name=days") == 0
        assert run("prepare", *PARTS) == 0
        yield run


def folder_of(kind: str) -> Path:
    return Path(STORE) if kind == STORE else next(Path().glob(f"{kind}/*/*"))


def words(command: str) -> list[str]:
    places = {
        "TRAINED": str(folder_of(TRAINED)),
        "DAYS": str(folder_of(DAYS)),
        "STORE": " ".join([*PARTS, *SHORT]),
    }
    is_naive = "seasonal_naive" in command
    for name, place in places.items():
        command = command.replace(f"={name}", f"={place}").replace(f" {name}", f" {place}")
    quick = {"train": [*SMALL], "check": [], "plan": ["tracking=none", "planning.days=2"]}
    verb = command.split()[0]
    extra = [] if "run=" in command and verb == "train" else quick.get(verb, [])
    if is_naive:
        extra = ["tracking=none"]
    if verb in ("forecast", "backtest", "replan"):
        extra = ["tracking=none"]
    if verb == "replan":
        extra += ["planning.days=2"]
    if verb == "backtest":
        extra += [*DAILY, "protocol.count=2"]
    return [*command.split(), *extra]


@contextlib.contextmanager
def damaged(path: Path, damage: str) -> Iterator[None]:
    content = path.read_bytes()
    path.write_bytes(DAMAGE[damage](content))
    try:
        yield
    finally:
        path.write_bytes(content)


def said(script: Script, command: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code of a verb, its last line of stderr where it failed, and all it said."""
    for place in ("f", "again", "p", "rp", "b", "t"):
        shutil.rmtree(f"runs/{place}", ignore_errors=True)
    for place in ("ex", "cmp"):
        shutil.rmtree(place, ignore_errors=True)
    capfd.readouterr()
    code = script(*words(command))
    out, err = capfd.readouterr()
    lines = err.strip().splitlines()
    return code, lines[-1] if code and lines else "", out + err


def files_of(kind: str) -> list[str]:
    folder = folder_of(kind)
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((".log", ".png"))
    )


def cases(kind: str, *, reads_only: bool) -> Iterator[tuple[str, str]]:
    for command, patterns in READS[kind].items():
        for name in files_of(kind):
            if not reads_only or any(fnmatch(name, pattern) for pattern in patterns):
                yield command, name


def faults_of(
    script: Script, capfd: pytest.CaptureFixture[str], kind: str, damages: list[str], *, all_: bool
) -> list[str]:
    """Tracebacks, silent successes, errors of several lines or without the path; prints a table."""
    faults, rows = [], []
    for command, name in cases(kind, reads_only=not all_):
        read = any(fnmatch(name, pattern) for pattern in READS[kind][command])
        for damage in damages:
            path = folder_of(kind) / name
            with damaged(path, damage):
                code, line, everything = said(script, command, capfd)
            verb = command.split()[0]
            case = f"{verb:9} {name:24} {damage:9}"
            signs = (Path(name).name, "unreadable")
            lines = [line, *everything.splitlines()] if line else everything.splitlines()
            heard = next((text for text in lines if any(sign in text for sign in signs)), line)
            rows.append(f"{case} {code} {heard.replace(str(folder_of(kind)), '.')[:170]}")
            if "Traceback" in everything or code not in (0, 1, 2):
                faults.append(f"{case}: a traceback: {everything[-400:]}")
            elif code and Path(name).name not in everything and "no completed run" not in line:
                faults.append(f"{case}: names no file: {line}")
            elif read and code == 0 and not heard:
                faults.append(f"{case}: nothing is said")
    with capfd.disabled():
        print("\n" + "\n".join(rows))
    return faults


@pytest.mark.parametrize("kind", [TRAINED, DAYS, STORE])
def test_undamaged_everything_goes_well(script: Script, capfd, kind) -> None:
    assert {command: said(script, command, capfd)[0] for command in READS[kind]} == dict.fromkeys(
        READS[kind], 0
    )


@pytest.mark.parametrize("kind", [TRAINED, DAYS, STORE])
@pytest.mark.parametrize("damage", ["truncated", "flipped"])
@pytest.mark.slow
def test_a_damaged_file_is_told_by_the_verb_that_reads_it(script, capfd, kind, damage) -> None:
    assert faults_of(script, capfd, kind, [damage], all_=False) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", [TRAINED, DAYS, STORE])
@pytest.mark.parametrize("damage", list(DAMAGE))
def test_no_damage_of_any_file_breaks_any_verb(script, capfd, kind, damage) -> None:
    assert faults_of(script, capfd, kind, [damage], all_=True) == []
