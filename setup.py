"""What pyproject.toml cannot say: ``conf/`` of the checkout is ``lanecast/conf`` of the wheel.

A second package directory would say it too, but then an editable install needs an import hook, which
type checkers and editors do not see; so the folder is copied when a wheel is built, and only then.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithConf(build_py):
    """Copies the YAML beside the modules; `lanecast.config.packaged_conf` looks there first."""

    def run(self) -> None:
        """Build the modules afresh (an earlier build may hold some that have moved), and copy."""
        package = Path(self.build_lib) / "lanecast"
        if not self.editable_mode:
            shutil.rmtree(package, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            shutil.copytree("conf", package / "conf", ignore=shutil.ignore_patterns("*.md"))


setup(cmdclass={"build_py": WithConf})
