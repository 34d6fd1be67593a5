"""SECURITY.md names tests as proof: each of them is one that exists."""

import re
from pathlib import Path

import pytest

from harness import SOURCE_DIR

NAMED = re.compile(r"(\w+\.(?:py|c))::(\w+)")
ROWS = [f"API{number}" for number in range(1, 11)] + [f"I{number}" for number in range(1, 11)]


def page():
    return (Path(SOURCE_DIR) / "SECURITY.md").read_text()


def missing(text, tests):
    """The tests that a text names and a folder doesn't have. Those in C are registered by their name."""
    for file, name in NAMED.findall(text):
        path = tests / file
        source = path.read_text() if path.exists() else ""
        python = re.search(rf"^def {name}\(", source, re.M) and name.startswith("test_")
        c = re.search(rf"^(?:static )?void {name}\(", source, re.M) and re.search(
            rf"(?:TEST|ADD)\({name}\)|\"[^\"]*/{name}\"", source
        )
        if not (python if file.endswith(".py") else c):
            yield f"{file}::{name}"


def test_every_test_that_the_page_names_exists():
    assert len(NAMED.findall(page())) > 50
    assert list(missing(page(), Path(SOURCE_DIR) / "tests")) == []


@pytest.mark.parametrize(
    "text",
    [
        "`scopes_test.py::test_that_never_was`",
        "`nowhere_test.py::test_a_token_ends`",
        "`doors.py::walk`",
        "`token_test.c::token_make`",
        "`token_test.c::never_was`",
    ],
)
def test_a_test_that_is_not_there_is_found(text):
    assert len(list(missing(text, Path(SOURCE_DIR) / "tests"))) == 1


@pytest.mark.parametrize("threat", ROWS)
def test_each_threat_has_its_row_with_a_test_or_says_that_there_is_none(threat):
    (row,) = re.findall(rf"^\| {threat} .*$", page(), re.M)
    assert NAMED.search(row) or row.endswith("| no test |")
