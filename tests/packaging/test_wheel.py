"""What is in the wheel: the modules, all YAML, Hydra's plugins, and nothing that users do not run."""

import zipfile
from configparser import ConfigParser

import pytest

from built_wheel import ROOT


@pytest.fixture(scope="module")
def names(wheel):
    return set(zipfile.ZipFile(wheel).namelist())


def of_checkout(folder: str, pattern: str) -> set[str]:
    return {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob(pattern)}


def test_wheel_holds_every_module_and_only_those(names):
    assert {name for name in names if name.endswith(".py")} == of_checkout("src", "*.py")


def test_wheel_holds_every_yaml_of_conf(names):
    wanted = {f"lanecast/conf/{name}" for name in of_checkout("conf", "*.yaml")}
    assert {name for name in names if name.endswith(".yaml")} == wanted
    assert "lanecast/conf/hydra/callbacks/run_record.yaml" in wanted


def test_wheel_holds_what_modules_read_beside_them(names):
    assert {
        "lanecast/py.typed",
        "lanecast/config/first_keys.json",
        "lanecast/report/review/page.css",
        "lanecast/report/review/page.js",
    } <= names


def test_wheel_holds_nothing_else(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lanecast", "hydra_plugins"}
    assert not {name for name in names if name.endswith((".md", ".csv", ".parquet"))}


def test_wheel_brings_the_command(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
    points = ConfigParser()
    points.read_string(archive.read(name).decode())
    assert points["console_scripts"]["lanecast"] == "lanecast.cli:main"
