"""A building with devices that publish for as long as they are asked to, and who know what they have sent.

    build(gateway)
    with Devices(broker, dice, rate=300) as devices:
        …                                       # trouble
        devices.pause()                         # until all that was sent is acknowledged
        devices.events, devices.refused         # what must be stored, or be kept with a reason
        devices.resume()

Most events are on time, some late or out of order, some come twice, some can't be stored. A device counts a message as sent
for good when the broker has acknowledged it; with `confirm`, when the gateway has confirmed each of its items in
dpu/<id>/stored, and until then it sends them again and again.
"""

import hashlib
import json
import threading
import time
from collections import deque
from typing import NamedTuple

import oracle
from harness import Subscriber, wait_until
from loader import Loader

START = 1_700_000_000_000
ROOMS = [f"room-{n}" for n in range(6)]
CELLAR = "cellar"  # a space without doorways: it changes only when somebody has counted the people
DPUS = [f"dpu-{n}" for n in range(16)]
STRANGER = "stranger"  # registered nowhere
SPARE = "spare"  # registered, installed nowhere
CONNECTIONS = 3
AGAIN_SECONDS = 2  # after which what is not confirmed is sent again


# A building


def create(kind, **values):
    return {"action": "create", "object": kind, "values": values}


def building():
    """A house of two floors with three rooms each; doors between rooms and to the street; now and then somebody has
    counted the people."""
    yield create("space", id="house", timezone="Europe/Berlin")
    for floor in range(2):
        yield create("space", id=f"floor-{floor}", parent="house")
    for n, room in enumerate(ROOMS):
        yield create("space", id=room, parent=f"floor-{n % 2}")
    yield create("space", id=CELLAR)
    for n, dpu in enumerate(DPUS):
        door = f"door-{n}"
        adjacent = ROOMS[(n + 1 + n % 5) % 6] if n % 3 else None
        yield create("doorway", id=door, space=ROOMS[n % 6], adjacent_space=adjacent)
        yield create("dpu", id=dpu)
        yield create(
            "installation",
            dpu=dpu,
            doorway=door,
            started_at="2020-01-01T00:00:00Z",
            orientation=-1 if n % 5 == 0 else 1,
        )
    yield create("dpu", id=SPARE)
    for n in range(12):
        at = oracle.utc(START + n * 100_000 + n).isoformat(timespec="milliseconds")
        yield create("reset", space=ROOMS[n % 6], count=n, at=at)


def build(gateway):
    with Loader(gateway.broker.port, "builder") as loader:
        for command in building():
            loader.send("registry/commands", json.dumps(command).encode())
        loader.flush()
    wait_until(
        lambda: gateway.value("SELECT count(*) FROM space_reset") == 12, 60, "the building is there"
    )
    assert gateway.value("SELECT count(*) FROM installation") == len(DPUS)


# What devices say


class Refused(NamedTuple):
    """An item that can't be stored: its bytes, and why."""

    dpu: str
    item: str
    reason: str


class Item(NamedTuple):
    """What a device said of one crossing. `key` is what it has to find in dpu/<id>/stored."""

    dpu: str
    text: str
    key: tuple
    event: oracle.Event | None
    refused: Refused | None


def good_item(event):
    text = json.dumps({"dpu_event_time": event.time, "count": event.count, "seq": event.seq})
    return Item(event.dpu, text, tuple(event), event, None)


def bad_item(dpu, text, reason):
    key = (dpu, hashlib.sha256(text.encode()).hexdigest())
    return Item(dpu, text, key, None, Refused(dpu, text, reason))


def items_of(dice, number, event_time):
    """The items of the next message, one to twenty of a DPU, numbered from `number` on."""
    dpu = dice.choice(DPUS) if dice.random() > 0.03 else dice.choice((STRANGER, SPARE))
    if dice.random() < 0.01:
        return [bad_item(dpu, f"no JSON {number}", "malformed")]
    items = []
    for n in range(number, number + dice.choice((1, 1, 1, 5, 20))):
        if dice.random() < 0.01:
            text = json.dumps({"dpu_event_time": START + n, "count": 0, "seq": n})
            items.append(bad_item(dpu, text, "invalid_count"))
        else:
            late = dice.choice((0, 0, 0, 0, dice.randrange(60_000), dice.randrange(3_600_000)))
            event = oracle.Event(dpu, event_time(n) - late, n, dice.choice((1, 1, -1)))
            items.append(good_item(event))
    return items


def payload_of(items):
    texts = [item.text for item in items]
    return (texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]").encode()


def on_schedule(number):
    """The time of an event: one a second, in a year long ago."""
    return START + number * 1000


class Devices:
    def __init__(self, broker, dice, rate=300, confirm=False, event_time=on_schedule):
        self.broker = broker
        self.dice = dice
        self.rate = rate  # items a second, of all together
        self.event_time = event_time
        self.number = 0
        self.lock = threading.Lock()
        self.sent = {}  # Item.key: Item, for good
        self.kept = {}  # Item.key: (Item, when it was sent last), until the gateway has confirmed it
        self.recent = deque(maxlen=200)  # messages
        self.failures = []
        self.wanted = threading.Event()
        self.ended = False
        self.idle = [threading.Event() for _ in range(CONNECTIONS)]
        self.confirmations = Confirmations(broker, self) if confirm else None
        self.threads = [
            threading.Thread(target=self.live, args=(number,), daemon=True)
            for number in range(CONNECTIONS)
        ]

    # What is known

    @property
    def events(self):
        with self.lock:
            return {item.event for item in self.sent.values() if item.event}

    @property
    def refused(self):
        with self.lock:
            return {item.refused for item in self.sent.values() if item.refused}

    def confirmed(self, keys):
        with self.lock:
            for key in keys:
                item, _ = self.kept.pop(key, (None, 0))
                if item is not None:
                    self.sent[key] = item

    def acknowledged(self, items):
        with self.lock:
            for item in items:
                self.sent[item.key] = item

    # What they do

    def next_message(self):
        """Mostly something new; what waits for its confirmation for too long comes first."""
        with self.lock:
            again = self.overdue()
            if again:
                return again
            if self.recent and self.dice.random() < 0.05:
                return self.dice.choice(self.recent)
            items = items_of(self.dice, self.number, self.event_time)
            self.number += len(items)
            self.recent.append(items)
            self.keep(items)
            return items

    def overdue(self):
        now = time.monotonic()
        if self.confirmations is None:
            return None
        late = [item for item, at in self.kept.values() if at < now - AGAIN_SECONDS][:20]
        whole = [item for item in late if item.refused and item.refused.reason == "malformed"][:1]
        items = whole or [item for item in late if item.dpu == late[0].dpu]
        self.keep(items)
        return items

    def keep(self, items):
        if self.confirmations is not None:
            self.kept.update((item.key, (item, time.monotonic())) for item in items if item.key not in self.sent)

    def live(self, number):
        try:
            with Loader(self.broker.port, f"device-{number}", window=100) as loader:
                while not self.ended:
                    if self.wanted.is_set():
                        self.say(loader, self.next_message())
                    else:
                        self.finish(loader)
                        self.idle[number].set()
                        self.wanted.wait(0.1)
        except BaseException as failure:
            self.failures.append(failure)
            self.idle[number].set()
            raise

    def say(self, loader, items):
        loader.send(f"dpu/{items[0].dpu}/events", payload_of(items), items)
        loader.exchange(wait=False)
        self.note(loader)
        time.sleep(len(items) * CONNECTIONS / self.rate)

    def finish(self, loader):
        """Waits until nothing is under way any more."""
        while True:
            loader.flush()
            self.note(loader)
            with self.lock:
                again = self.overdue()
                if not again and not self.kept:
                    return
            if again:
                self.say(loader, again)
            else:
                time.sleep(0.02)

    def note(self, loader):
        if self.confirmations is None:
            for items in loader.acknowledged:
                self.acknowledged(items)
        loader.acknowledged.clear()

    # What a test does with them

    def pause(self, timeout=120):
        for idle in self.idle:
            idle.clear()
        self.wanted.clear()
        for idle in self.idle:
            assert idle.wait(timeout), "devices: not all is acknowledged"
        assert not self.failures, self.failures

    def resume(self):
        assert not self.failures, self.failures
        self.wanted.set()

    def __enter__(self):
        if self.confirmations is not None:
            self.confirmations.open()
        self.resume()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.wanted.set()
        for thread in self.threads:
            thread.join(10)
        if self.confirmations is not None:
            self.confirmations.close()


class Confirmations(Subscriber):
    """What the gateway says in dpu/<id>/stored."""

    def __init__(self, broker, devices):
        super().__init__(broker, "dpu/+/stored")
        self.devices = devices

    def on_message(self, client, userdata, message):
        dpu = message.topic.split("/")[1]
        self.devices.confirmed([key_of(dpu, said) for said in json.loads(message.payload)])


def key_of(dpu, said):
    if "sha256" in said:
        return (dpu, said["sha256"])
    at = oracle.milliseconds(oracle.datetime.fromisoformat(said["dpu_event_time"]))
    return (dpu, at, said["seq"], said["count"])
