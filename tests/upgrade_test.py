"""A database of every released schema, filled by the program of its time, is brought up to date when a gateway starts:
its facts, counts and history are what they were, and nobody else touches it.

tests/released/version_N.sql is a dump of one, made by that program from random events of a house with two floors (its
next daily reset is in the year 2100, so that none is due whenever this is run).
"""

import contextlib
import sqlite3

import pytest

import recount
from harness import SOURCE_DIR, Broker, Gateway, Headcount

RELEASED = sorted((SOURCE_DIR / "tests" / "released").glob("version_*.sql"))
MIGRATIONS = sorted((SOURCE_DIR / "core" / "migrations").glob("*.sql"))
NEWEST = len(MIGRATIONS) + 1
RESHAPED = {"summary"}  # its rows are compared with the facts


@pytest.fixture
def gateway(tmp_path):
    """Not started yet."""
    with Broker(tmp_path) as broker:
        gateway = Gateway(broker, tmp_path)
        yield gateway
        gateway.stop()


def make(gateway, dump):
    with contextlib.closing(sqlite3.connect(gateway.database)) as database:
        database.executescript(dump.read_text())
        return contents(database)


def contents(database):
    tables = [
        name
        for (name,) in database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    return {
        table: sorted(map(repr, database.execute(f"SELECT {columns_of(database, table)} FROM {table}")))
        for table in tables
    }


def columns_of(database, table):
    return ", ".join(row[1] for row in database.execute(f"PRAGMA table_info({table})"))


def rows_then(gateway, before):
    """The same tables and columns as `before` has, of the database as it is now."""
    with gateway.reading() as database, contextlib.closing(sqlite3.connect(":memory:")) as old:
        old.executescript(before.read_text())
        return {
            table: sorted(map(repr, database.execute(f"SELECT {columns_of(old, table)} FROM {table}")))
            for table in contents(old)
            if table not in RESHAPED
        }


def shape(database):
    """Tables, columns, indexes, triggers and views as SQLite understands them."""
    tables = {
        table: [
            sorted(database.execute(f"PRAGMA {what}({table})").fetchall()) for what in ("table_info", "foreign_key_list")
        ]
        for table in contents(database)
    }
    others = database.execute(
        "SELECT type, name, tbl_name FROM sqlite_schema WHERE type <> 'table' ORDER BY type, name"
    )
    return tables, others.fetchall()


def test_every_released_schema_has_its_database():
    assert [path.stem for path in RELEASED] == [f"version_{n}" for n in range(1, NEWEST)]


@pytest.mark.parametrize("dump", RELEASED, ids=lambda path: path.stem)
def test_a_filled_database_is_brought_up_to_date(dump, gateway, tmp_path):
    before = make(gateway, dump)
    world = recount.world_of(gateway)
    headcount = Headcount(gateway.config)
    assert len(world.events) > 100
    refused = headcount.run("space", "list")
    assert refused.returncode == 1
    assert "start headcount-gateway" in refused.stderr

    gateway.start()
    assert gateway.value("PRAGMA user_version") == NEWEST
    assert f"{gateway.database}.before-v{NEWEST}" in gateway.log()
    assert rows_then(gateway, dump) == {table: rows for table, rows in before.items() if table not in RESHAPED}
    assert "all in step" in headcount("check")
    recount.check_counts(world, gateway)
    recount.wait_for_retained(gateway)
    with gateway.reading() as migrated, contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript((SOURCE_DIR / "db_schema.sql").read_text())
        assert shape(migrated) == shape(fresh)
    with contextlib.closing(sqlite3.connect(f"{gateway.database}.before-v{NEWEST}")) as copy:
        assert contents(copy) == before


@pytest.mark.parametrize("dump", RELEASED, ids=lambda path: path.stem)
def test_a_backup_of_an_older_program_is_restored(dump, gateway, tmp_path):
    gateway.start()
    gateway.stop()
    backup = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(backup)) as database:
        database.executescript(dump.read_text())
    Headcount(gateway.config)("restore", backup)
    assert not list(gateway.database.parent.glob("*.before-v*"))
    gateway.start()
    recount.check_counts(recount.world_of(gateway), gateway)
    recount.wait_for_retained(gateway)


def test_a_newer_database_is_refused_by_all(gateway):
    make(gateway, RELEASED[-1])
    with contextlib.closing(sqlite3.connect(gateway.database)) as database:
        database.execute(f"PRAGMA user_version = {NEWEST + 1}")
        database.commit()
        before = contents(database)
    gateway.spawn()
    assert gateway.wait() == 65  # EX_DATAERR
    assert "made by a newer program" in gateway.log()
    refused = Headcount(gateway.config).run("check")
    assert refused.returncode == 1
    assert "made by a newer program" in refused.stderr
    with gateway.reading() as database:
        assert contents(database) == before
    gateway.process = None
