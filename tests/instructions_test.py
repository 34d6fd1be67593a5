"""Whether the work on a fixed input still takes as many instructions as it did: what a benchmark on a busy machine can't tell.

Callgrind counts them in programs built as people run them (tests/bench/instructions_*.c). The expected numbers in
instructions.json belong to one toolchain each; elsewhere the test is skipped and says what it has counted. A number that
has changed on purpose is replaced there, with the reason in the commit's message.
"""

import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE_DIR = Path(os.environ["HEADCOUNT_SOURCE_DIR"])
BUILD_DIR = Path(os.environ["HEADCOUNT_BIN_DIR"]).parent / "instructions"
EXPECTED = Path(__file__).parent / "instructions.json"
TOLERANCE = 0.03
LIBRARIES = ("libc6", "libglib2.0-0", "libjson-c5", "libmicrohttpd12", "libsqlite3-0")

# Callgrind 3.19 forgets options of functions whose names begin alike: hence names that end in "measured".
MEASURED = ("batch_measured", "count_at_measured")


def output_of(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600, **options).stdout


def toolchain():
    """What the number of instructions depends on, besides our own code."""
    versions = output_of("dpkg-query", "-W", "-f", "${Package} ${Version}, ", *LIBRARIES)
    return f"{platform.machine()}, gcc {output_of('cc', '-dumpfullversion').strip()}, {versions.strip(', ')}"


@pytest.fixture(scope="module")
def programs():
    """The folder of the programs, in a release build."""
    release = ("-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DBUILD_TESTING=OFF")
    output_of("cmake", "-S", SOURCE_DIR, "-B", BUILD_DIR, "-G", "Ninja", *release)
    output_of("cmake", "--build", BUILD_DIR, "--target", "bench-instructions_store", "bench-instructions_http")
    return BUILD_DIR / "bin"


def callgrind(program, database, options):
    """Runs a program: how often it did what it did, and the instructions of each dump by its file's name."""
    folder = database.parent / program.name
    folder.mkdir()
    valgrind = ("valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out")
    times = output_of(*valgrind, *options, program, database)
    totals = {
        path.name: int(total)
        for path in folder.iterdir()
        for total in re.findall(r"^totals: (\d+)", path.read_text(), re.M)
    }
    return dict(re.findall(r"(\w+) (\d+)", times)), totals


def count_store(programs, database):
    options = [f"--{what}={name}" for name in MEASURED for what in ("toggle-collect", "dump-after")]
    times, totals = callgrind(programs / "bench-instructions_store", database, options)
    return {
        "an event of a batch": totals["out.1"] // int(times["batch"]),
        "a count at an instant": totals["out.2"] // int(times["count_at"]),
    }


def count_http(programs, database):
    """The thread that serves is the one with most to do."""
    times, totals = callgrind(programs / "bench-instructions_http", database, ["--separate-threads=yes"])
    return {"an answer over HTTP": max(totals.values()) // int(times["answer"])}


def test_work_takes_as_many_instructions_as_it_did(programs, tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    database = tmp_path / "headcount.db"
    counted = count_store(programs, database) | count_http(programs, database)
    expected = json.loads(EXPECTED.read_text()).get(toolchain())
    if expected is None:
        pytest.skip(f"nothing is expected of {toolchain()}; counted: {json.dumps(counted)}")
    changed = {
        name: f"{number:,}, expected {expected[name]:,}"
        for name, number in counted.items()
        if abs(number / expected[name] - 1) > TOLERANCE
    }
    assert not changed, changed
