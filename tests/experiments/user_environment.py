"""A clean virtual environment with wheels in it, as a user has it, for tests of what is installed.

It installs the wheels and nothing else. Third-party libraries are seen through a path to those of the environment that
runs the tests: installing them again takes minutes and shows nothing of ours. A path added that way runs no .pth file,
so that an editable designgym there stays out of sight, and the wheel's comes first in any case.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path


class Environment:
    """A virtual environment with both wheels, in a folder that holds no source."""

    def __init__(self, folder: Path, *wheels: Path) -> None:
        self.folder, self.home = folder / "empty", folder / "venv"
        self.folder.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.home], check=True)
        self.python = self.home / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-deps", *wheels]
        subprocess.run(pip, check=True)
        (self.site,) = self.home.glob("lib/python*/site-packages")
        (self.site / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def run(self, *command: object) -> str:
        done = subprocess.run(
            [str(word) for word in command], cwd=self.folder, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def designgym(self, *command: object) -> str:
        return self.run(self.home / "bin" / "designgym", *command)


def write_plugin(site: Path, distribution: str, module: str, code: str, requires: str = "designgym>=0.1") -> None:
    """Lay out a plug-in as an installer does."""
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\nRequires-Dist: {requires}\n"
    )
    (info / "entry_points.txt").write_text(f"[designgym.plugins]\n{module} = {module}\n")
    (site / f"{module}.py").write_text(code)
