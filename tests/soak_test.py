"""What grows does not escape the soak, and what only warms up is no growth."""

import pytest

import soak

SECONDS = 200


@pytest.fixture(autouse=True)
def memory_counts(monkeypatch):
    monkeypatch.setattr("soak.sanitized", lambda: False)


def rows_of(**columns):
    """A sample a second of processes that live all the time; a column is a function of the second."""
    steady = {name: (lambda second: 10) for name in soak.COLUMNS}
    steady |= {"seconds": float, "said": lambda second: 100 * second, "database_bytes": lambda second: 5000 * second}
    steady |= {"wal_bytes": lambda second: 0, "broker_bytes": lambda second: 0, "log_bytes": lambda second: 0}
    return [{name: value(second) for name, value in (steady | columns).items()} for second in range(SECONDS)]


def grown(**columns):
    return [what for what, is_now, bound in soak.growths(rows_of(**columns)) if is_now > bound]


def test_what_stays_as_it_is_passes():
    assert grown() == []


def test_warming_up_is_no_growth():
    assert grown(gateway_mib=lambda second: min(10 + second, 60)) == []


@pytest.mark.parametrize("daemon", soak.DAEMONS)
def test_memory_that_grows_is_seen(daemon):
    assert grown(**{f"{daemon}_mib": lambda second: 10 + second / 5}) == [f"memory of the {daemon} in MiB, after 29.9"]


def test_a_life_is_judged_by_itself():
    """A process that is killed again and again has grown all the same."""
    pid = {"api_pid": lambda second: 1 + second // 100}
    assert grown(**pid, api_mib=lambda second: 10 + second % 100 / 3) == ["memory of the api in MiB, after 26.5"] * 2


def test_open_files_that_grow_are_seen():
    assert grown(broker_files=lambda second: 10 + second // 5) == ["open files of the broker"]


@pytest.mark.parametrize(
    "column, most, what",
    [
        ("database_bytes", 100 * 401, "bytes of database an item"),
        ("wal_bytes", 65 << 20, "bytes of WAL"),
        ("broker_bytes", 65 << 20, "bytes of the broker's file"),
        ("log_bytes", 8200 * 10, "bytes of logs a fault"),
    ],
)
def test_files_that_grow_are_seen(column, most, what):
    value = (lambda second: most * second) if column == "database_bytes" else (lambda second: most)
    assert grown(**{column: value}) == [what]


def test_the_picture_has_every_process():
    drawn = soak.svg_of(rows_of())
    assert all(f"{daemon}_mib" in drawn for daemon in soak.DAEMONS)
