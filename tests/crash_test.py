"""An acknowledged event is never lost and never counted twice, whatever dies, fills up or is locked
meanwhile.

Devices publish over several connections and note which events the broker acknowledged. In the end
each of those is in the database exactly once, every count is what the oracle makes of the facts,
and the retained topics say so. The full size runs with HEADCOUNT_CRASH_EVENTS=100000 and
HEADCOUNT_CRASH_KILLS=20; HEADCOUNT_SEED repeats a run's dice.
"""

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import threading
import time

import pytest

import recount
from harness import Gateway, Subscriber, wait_until
from loader import Loader
from oracle import Event

EVENTS = int(os.environ.get("HEADCOUNT_CRASH_EVENTS", "10000"))
KILLS = int(os.environ.get("HEADCOUNT_CRASH_KILLS", "4"))
CONNECTIONS = 4
AHEAD = 4000  # so many events may be on their way: the load lasts as long as the trouble does

START = 1_700_000_000_000
DPUS = [f"dpu-{n}" for n in range(16)]
STRANGER = "stranger"  # registered nowhere
SPARE = "spare"  # registered, installed nowhere


@pytest.fixture
def dice(capsys):
    seed = int(os.environ.get("HEADCOUNT_SEED", random.randrange(2**31)))
    with capsys.disabled():
        print(f"\nHEADCOUNT_SEED={seed}", flush=True)
    return random.Random(seed)


# A building


def create(kind, **values):
    return {"action": "create", "object": kind, "values": values}


def building():
    """A house of two floors with three rooms each; doors between rooms and to the street."""
    rooms = [f"room-{n}" for n in range(6)]
    yield create("space", id="house", timezone="Europe/Berlin")
    for floor in range(2):
        yield create("space", id=f"floor-{floor}", parent="house")
    for n, room in enumerate(rooms):
        yield create("space", id=room, parent=f"floor-{n % 2}")
    for n, dpu in enumerate(DPUS):
        door = f"door-{n}"
        adjacent = rooms[(n + 1 + n % 5) % 6] if n % 3 else None
        yield create("doorway", id=door, space=rooms[n % 6], adjacent_space=adjacent)
        yield create("dpu", id=dpu)
        yield create(
            "installation",
            dpu=dpu,
            doorway=door,
            started_at="2020-01-01T00:00:00Z",
            orientation=-1 if n % 5 == 0 else 1,
        )
    yield create("dpu", id=SPARE)


def build(gateway):
    with Loader(gateway.broker.port, "builder") as loader:
        for command in building():
            loader.send("registry/commands", json.dumps(command).encode())
        loader.flush()
    wait_until(
        lambda: gateway.value("SELECT count(*) FROM dpu") == len(DPUS) + 1,
        30,
        "the building is there",
    )
    assert gateway.value("SELECT count(*) FROM installation") == len(DPUS)


# The load


def uploads(dice, events):
    """Messages of one to twenty events of a DPU each, some of them twice: [(topic, payload,
    events)]. Most events are on time."""
    by_dpu = {}
    for n in range(events):
        dpu = dice.choice(DPUS) if n % 50 else dice.choice((STRANGER, SPARE))
        time = START + n * 1000 - dice.choice((0, 0, 0, 0, dice.randrange(86_400_000)))
        by_dpu.setdefault(dpu, []).append(Event(dpu, time, n, dice.choice((1, 1, -1))))
    messages = []
    for dpu, mine in by_dpu.items():
        while mine:
            size = dice.choice((1, 1, 5, 20))
            some, mine = mine[:size], mine[size:]
            items = [{"dpu_event_time": e.time, "count": e.count, "seq": e.seq} for e in some]
            text = json.dumps(items[0] if size == 1 else items).encode()
            messages.append((f"dpu/{dpu}/events", text, some))
    messages += dice.sample(messages, len(messages) // 20)
    return sorted(messages, key=lambda message: message[2][0].seq + dice.randrange(1000))


class Load:
    """Devices that publish at the same time, never more than AHEAD events before what is stored."""

    def __init__(self, broker, dice, events):
        self.broker = broker
        self.messages = uploads(dice, events)
        self.events = {event for _, _, some in self.messages for event in some}
        self.acknowledged = set()
        self.sent = set()
        self.stored = 0
        self.progress = threading.Condition()
        self.failures = []
        self.threads = [
            threading.Thread(target=self.publish, args=(number,), daemon=True)
            for number in range(CONNECTIONS)
        ]

    def publish(self, number):
        try:
            with Loader(self.broker.port, f"device-{number}", window=100) as loader:
                for topic, payload, events in self.messages[number::CONNECTIONS]:
                    self.wait_for_turn(events)
                    loader.send(topic, payload, events)
                loader.flush()
                with self.progress:
                    self.acknowledged.update(*loader.acknowledged)
        except BaseException as failure:
            self.failures.append(failure)
            raise

    def wait_for_turn(self, events):
        with self.progress:
            assert self.progress.wait_for(lambda: len(self.sent) < self.stored + AHEAD, 300)
            self.sent.update(events)

    def note_stored(self, rows):
        with self.progress:
            self.stored = rows
            self.progress.notify_all()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.note_stored(float("inf"))
        for thread in self.threads:
            thread.join(300)
        assert not self.failures, self.failures

    def wait_until_sent(self):
        self.note_stored(float("inf"))
        for thread in self.threads:
            thread.join(300)
            assert not thread.is_alive(), "the broker does not acknowledge"
        assert not self.failures, self.failures


def rows_stored(gateway):
    """0 while the database can't be read: it may not exist yet, or its writer has just died."""
    with contextlib.suppress(sqlite3.OperationalError):
        return gateway.value("SELECT count(*) FROM installation_count") + gateway.value(
            "SELECT count(*) FROM rejected_event"
        )
    return 0


def wait_for_rows(gateway, load, rows):
    """Waits until so many are stored, and lets the devices go on meanwhile."""

    def enough():
        stored = rows_stored(gateway)
        load.note_stored(stored)
        assert not load.failures, load.failures
        return stored >= rows

    wait_until(
        enough,
        120,
        lambda: f"of {len(load.sent)} events sent {rows_stored(gateway)} are stored, not {rows}",
    )


# What must hold in the end


def rejected_events(gateway):
    """(event, reason) of table rejected_event."""
    for dpu, reason, item in gateway.query("SELECT dpu_id, reason, item FROM rejected_event"):
        item = json.loads(item)
        yield Event(dpu, item["dpu_event_time"], item["seq"], item["count"]), reason


def check_everything(gateway, load):
    assert load.acknowledged == load.events  # all of them, in the end
    wait_until(
        lambda: rows_stored(gateway) >= len(load.events),
        120,
        lambda: f"of {len(load.events)} acknowledged events {rows_stored(gateway)} are stored",
    )
    lost_places = {STRANGER: "unknown_dpu", SPARE: "no_installation"}
    attributable = sorted(event for event in load.events if event.dpu not in lost_places)
    assert sorted(recount.stored_events(gateway)) == attributable
    expected = [(e, lost_places[e.dpu]) for e in load.events if e.dpu in lost_places]
    assert sorted(rejected_events(gateway)) == sorted(expected)
    recount.check_counts(recount.world_of(gateway), gateway)
    recount.wait_for_retained(gateway)


# Stories


def test_kills_at_random_moments_lose_nothing(broker, tmp_path, dice):
    gateway = Gateway(broker, tmp_path)
    gateway.start()
    build(gateway)
    moments = sorted(dice.randrange(EVENTS) for _ in range(KILLS))
    broker_restart = dice.randrange(KILLS)
    with Load(broker, dice, EVENTS) as load:
        for number, rows in enumerate(moments):
            wait_for_rows(gateway, load, rows)
            time.sleep(dice.random() * 0.1)  # anywhere within a batch, not at the end of one
            gateway.kill()
            if number == broker_restart:
                broker.restart()
            gateway.spawn()
        wait_for_rows(gateway, load, EVENTS * 9 // 10)
        broker.restart()
        load.wait_until_sent()
    check_everything(gateway, load)
    gateway.stop()


def test_a_kill_of_the_broker_at_rest_loses_nothing(broker, gateway, dice):
    build(gateway)
    with Load(broker, dice, EVENTS // 10) as load:
        load.wait_until_sent()
    check_everything(gateway, load)
    broker.kill()
    gateway.kill()
    broker.start()
    gateway.start()
    check_everything(gateway, load)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own that is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small tmpfs takes root and the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder):
    """Leaves no byte free; what to delete to free all of them."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(512))
    return ballast


def health_errors(subscriber):
    """What the gateway's health messages named as last error."""
    errors = [json.loads(text)["last_error"] for _, text in subscriber.messages()]
    return [error["detail"] for error in errors if error]


def test_a_full_disk_loses_nothing_and_is_said(broker, small_disk, tmp_path, dice):
    database = small_disk / "headcount.db"
    gateway = Gateway(broker, tmp_path, {"store": {"database": database}})
    gateway.database = database
    gateway.start()
    build(gateway)
    with Subscriber(broker, f"gateway/{gateway.client_id}/health") as health:
        with Load(broker, dice, EVENTS) as load:
            wait_for_rows(gateway, load, EVENTS // 4)
            ballast = fill(small_disk)
            gateway.wait_for(lambda: "full" in gateway.log(), 60, "the log says the disk is full")
            gateway.wait_for(
                lambda: any("full" in error for error in health_errors(health)),
                60,
                "the health message says the disk is full",
            )
            load.wait_until_sent()
            stored = rows_stored(gateway)
            assert stored < len(load.events)
            ballast.unlink()
        check_everything(gateway, load)
    gateway.stop()


def test_a_locked_database_loses_nothing_and_is_said(broker, gateway, dice):
    build(gateway)
    with Load(broker, dice, EVENTS // 4) as load:
        wait_for_rows(gateway, load, EVENTS // 16)
        with contextlib.closing(sqlite3.connect(gateway.database, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            gateway.wait_for(lambda: "locked" in gateway.log(), 60, "the log says it is locked")
            load.wait_until_sent()
            other.execute("ROLLBACK")
    check_everything(gateway, load)


def test_a_second_gateway_on_the_same_database_refuses(broker, gateway, tmp_path):
    second = Gateway(
        broker,
        tmp_path / "second",
        {"store": {"database": gateway.database}, "gateway": {"client_id": "second"}},
    )
    second.spawn()
    assert second.wait() == os.EX_TEMPFAIL
    assert f"{gateway.database} is in use by another headcount-gateway" in second.log()
    second.check_sanitizers()
    assert gateway.running
