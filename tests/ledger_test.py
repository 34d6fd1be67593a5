"""The judge of the storms is judged: what is lost, doubled or miscounted does not escape it."""

import contextlib
import sqlite3

import pytest

import oracle
from devices import START, build
from harness import Publisher, wait_until
from invariants import Broken
from ledger import Ledger

EVENTS = [oracle.Event(f"dpu-{n % 4}", START + 200_000 * n, n, 1 if n % 3 else -1) for n in range(40)]
NONSENSE = ("dpu-1", "no JSON", "malformed")


@pytest.fixture
def stored(gateway, tmp_path):
    """A building of which a ledger knows all, and its gateway has ended: the database can be changed."""
    build(gateway)
    with Publisher(gateway.broker) as device:
        for event in EVENTS:
            said = {"dpu_event_time": event.time, "seq": event.seq, "count": event.count}
            device.send(f"dpu/{event.dpu}/events", said)
        device.send("dpu/dpu-1/events", b"no JSON")
        device.flush()
    wait_until(lambda: gateway.value("SELECT count(*) FROM installation_count") == len(EVENTS))
    with contextlib.closing(Ledger(tmp_path / "ledger.db")) as ledger:
        ledger.add(EVENTS, [NONSENSE])
        yield gateway, ledger


def change(gateway, sql):
    gateway.kill()
    with contextlib.closing(sqlite3.connect(gateway.database)) as connection:
        assert connection.execute(sql).rowcount == 1
        connection.commit()


def broken(stored, words):
    gateway, ledger = stored
    with pytest.raises(Broken, match=words) as problem:
        ledger.check(gateway)
    return problem.value.lost, problem.value.doubled


def test_what_is_stored_once_passes(stored):
    gateway, ledger = stored
    assert ledger.check(gateway) == (len(EVENTS), 1)
    assert ledger.check(gateway) == (len(EVENTS), 1), "again"


def test_a_record_of_the_load_is_read(stored, tmp_path):
    gateway, ledger = stored
    record = tmp_path / "record"
    record.write_text("E\tdpu-9\t5\t6\t-1\nR\tdpu-1\tmalformed\tno JSON either\n")
    ledger.add_file(record)
    assert ledger.rows == len(EVENTS) + 3


def test_a_lost_event_is_seen(stored, monkeypatch):
    monkeypatch.setattr("invariants.SETTLE_SECONDS", 0)
    change(stored[0], "DELETE FROM installation_count WHERE seq = 7")
    assert broken(stored, "1 are lost") == (1, 0)


def test_an_event_too_many_is_seen(stored):
    change(stored[0], "UPDATE installation_count SET seq = 4711 WHERE seq = 7")
    assert broken(stored, "1 are lost, 1 too many") == (1, 1)


def test_a_rejected_event_with_another_reason_is_seen(stored):
    change(stored[0], "UPDATE rejected_event SET reason = 'invalid_time'")
    assert broken(stored, "1 are lost, 1 too many") == (1, 1)


def test_a_wrong_count_is_seen(stored):
    change(stored[0], "UPDATE occupancy_now SET count = count + 1 WHERE space = (SELECT id FROM space WHERE space_id = 'house')")
    broken(stored, "house")


def test_a_wrong_retained_count_is_seen(stored, monkeypatch):
    monkeypatch.setattr("invariants.SETTLE_SECONDS", 1)
    stored[0].kill()  # or it may have something to say after us
    with Publisher(stored[0].broker) as other:
        other.publish("space/house/count", "4711", retain=True)
    broken(stored, "retained")
