"""What bash offers after Tab (ctl/completion.bash)."""

import os
import subprocess

import pytest

from harness import SOURCE_DIR, bin_dir

# As bash does it: the function gets the program's name, and finds the line in COMP_LINE and COMP_POINT.
PRESS_TAB = r"""
source "$1"
compopt() { :; } # it is for a function that readline has called
COMP_LINE=$2 COMP_POINT=${#2}
"$(complete -p headcount | sed 's/.*-F \([^ ]*\).*/\1/')" headcount
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def offered(monkeypatch):
    """A function: what is offered at the end of a line."""
    monkeypatch.setenv("PATH", f"{bin_dir()}:{os.environ['PATH']}")

    def press_tab(line):
        result = subprocess.run(
            ["bash", "-c", PRESS_TAB, "bash", SOURCE_DIR / "ctl/completion.bash", line],
            check=True,
            capture_output=True,
            text=True,
        )
        assert result.stderr == ""
        return result.stdout.splitlines()

    return press_tab


def test_commands_are_offered(offered):
    assert {"space", "move", "seed-data"} <= set(offered("headcount "))
    assert offered("headcount sp") == ["space"]
    assert offered("headcount space ") == ["add", "list", "remove", "set"]
    assert offered("headcount --json space l") == ["list"]
    assert offered("headcount nonsense ") == []


def test_the_options_of_a_command_are_offered(offered):
    assert offered("headcount space add --pa") == ["--parent="]
    assert offered("headcount space add A --cap") == ["--capacity="]
    assert "--version" in offered("headcount --")
    assert "--version" not in offered("headcount space add --")


def test_ids_are_offered_where_they_belong(offered, headcount, monkeypatch):
    monkeypatch.setenv("HEADCOUNT_CONFIG", str(headcount.config))
    for space in ("hall", "hut", "b:1", "b:2"):
        headcount("space", "add", space)
    headcount("doorway", "add", "front", "--space", "hall")
    headcount("dpu", "add", "423")
    assert offered("headcount space set h") == ["hall", "hut"]
    assert offered("headcount doorway add X --space=hu") == ["hut"]
    assert offered("headcount doorway add X --space hu") == ["hut"]
    assert offered("headcount move ") == ["423"]
    assert offered("headcount move 423 ") == ["front"]
    assert offered("headcount check hall hu") == ["hut"]
    assert offered("headcount reset hall ") == []
    # bash takes the colon for the end of a word.
    assert offered("headcount space set b:") == ["1", "2"]


def test_files_are_offered_where_they_belong(offered, tmp_path):
    (tmp_path / "crossings.csv").touch()
    assert offered(f"headcount replay {tmp_path}/cr") == [f"{tmp_path}/crossings.csv"]
    assert offered(f"headcount -c {tmp_path}/cr") == [f"{tmp_path}/crossings.csv"]
