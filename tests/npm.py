"""npm's packages for tests: what the package-lock.json of a folder here names, in a folder of the build.

    folder = npm.install("websocket_display")      # with the folder's own files, and node_modules
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import bin_dir

HERE = Path(__file__).parent


def install(name):
    if shutil.which("npm") is None:
        assert os.environ.get("CI") != "true", "there is no npm"
        pytest.skip("npm is not installed")
    source, folder = HERE / name, bin_dir().parent / name
    lock, installed = source / "package-lock.json", folder / "installed"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    if not installed.exists() or installed.read_text() != lock.read_text():
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        shutil.copy(lock, installed)
    return folder
