"""The matrix of faults can fail: bugs that are sown (seeded_bugs/*.patch) are caught by the cells named here.

A patch that does not apply any more is to be made anew: sow the bug, `git diff > tests/seeded_bugs/NAME.patch`.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from harness import SOURCE_DIR

PATCHES = SOURCE_DIR / "tests" / "seeded_bugs"
BUILT = ("headcount-gateway", "headcount-api", "headcount", "fault-hook")

# bug: a cell that catches it
CATCHES = {
    "acknowledged-before-commit": "killed before the sync of the WAL",
    "caches-kept-after-undo": "write fails",
    "commits-not-synced": "power lost",
    "counts-not-said-again": "broker killed, devices keep",
    "failed-batch-acknowledged": "write fails",
    "folded-in-order-of-arrival": "gateway killed",
    "identity-forgotten": "gateway killed",
}


def run(*command, folder):
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the sources with a build of its own."""
    folder = tmp_path_factory.mktemp("seeded") / "headcount"
    shutil.copytree(SOURCE_DIR, folder, ignore=shutil.ignore_patterns(".git", "build"), symlinks=True)
    run("cmake", "--preset", "release", folder=folder)
    return folder


def matrix(tree, cell, folder):
    """The row of a cell."""
    path = folder / "faults.json"
    environment = {**os.environ, "HEADCOUNT_BIN_DIR": str(tree / "build/release/bin")}
    command = [sys.executable, tree / "tests/fault_matrix.py", "--cell", f"={cell}", "--json", path]
    subprocess.run(command, env=environment)
    return json.loads(path.read_text())[0]


def test_every_bug_has_its_cell():
    assert {path.stem for path in PATCHES.glob("*.patch")} == CATCHES.keys()


@pytest.mark.parametrize("bug", CATCHES)
def test_the_matrix_catches(bug, tree, tmp_path):
    patch = ("patch", "--strip", "1", "--input", PATCHES / f"{bug}.patch")
    run(*patch, folder=tree)
    try:
        run("cmake", "--build", "build/release", "--target", *BUILT, folder=tree)
        row = matrix(tree, CATCHES[bug], tmp_path)
    finally:
        run(*patch, "--reverse", folder=tree)
    assert row["state"] == "broken", row
    print(f"{bug}: {row['cell']}, after {row['times']}: lost {row['lost']}, doubled {row['doubled']}: {row['why']}")
