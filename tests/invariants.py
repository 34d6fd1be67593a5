"""What holds of a system whatever has happened to it, against what its devices know (devices.py) and the oracle:

- every event that was acknowledged is stored exactly once, or kept as rejected with the right reason, and nothing else is;
- the count of every space as the broker has it retained = occupancy_now = the oracle's recount of what was sent;
- the HTTP side says the same, for now and for instants at random;
- what MQTT and HTTP say of a space never goes back to an earlier revision.

    with Watch(broker, api) as watch:
        …
        devices.pause()
        finding = check(gateway, api, devices, watch, dice)     # raises Broken
"""

import http.client
import json
import threading
import time
from typing import NamedTuple

import oracle
import recount
from devices import ROOMS
from harness import Subscriber

SETTLE_SECONDS = 25  # without any news: a gateway tries again after 10 s, and finds a dead connection in 20
INSTANTS = 3  # of each space, asked of the HTTP side


class Broken(AssertionError):
    """An invariant does not hold."""

    def __init__(self, what, lost=0, doubled=0):
        super().__init__(what)
        self.lost = lost
        self.doubled = doubled


def require(holds, what, **figures):
    if not holds:
        raise Broken(what() if callable(what) else what, **figures)


class Finding(NamedTuple):
    """How much was looked at."""

    events: int
    refused: int


def some(things, most=5):
    things = sorted(things)
    return f"{things[:most]}{' …' if len(things) > most else ''}"


# What is stored


def rejected_rows(gateway):
    """[(dpu, item, reason)] of table rejected_event."""
    return [
        (dpu, bytes(item).decode(), reason)
        for dpu, item, reason in gateway.query("SELECT dpu_id, item, reason FROM rejected_event")
    ]


def expected_of(devices, world):
    """(events to be stored, rows to be kept as rejected) by the oracle's judgement."""
    refused = {tuple(item) for item in devices.refused}
    reasons = world.rejected()
    with devices.lock:
        texts = {item.event: item.text for item in devices.sent.values() if item.event}
    for event, reason in reasons.items():
        refused.add((event.dpu, texts[event], reason))
    return world.events - reasons.keys(), refused


def rows_stored(gateway):
    return gateway.value("SELECT count(*) FROM installation_count") + gateway.value(
        "SELECT count(*) FROM rejected_event"
    )


def wait_for_rows(gateway, rows):
    """Until so many are there, or no more are coming."""
    deadline = time.monotonic() + SETTLE_SECONDS
    before = 0
    while (stored := rows_stored(gateway)) < rows and time.monotonic() < deadline:
        if stored > before:
            before, deadline = stored, time.monotonic() + SETTLE_SECONDS
        time.sleep(0.02)


def check_stored(gateway, devices, world):
    expected, refused = expected_of(devices, world)
    rows = len(expected) + len(refused)
    wait_for_rows(gateway, rows)
    stored = recount.stored_events(gateway)
    kept = rejected_rows(gateway)
    lost = (expected - set(stored)) | (refused - set(kept))
    extra = (set(stored) - expected) | (set(kept) - refused)
    doubled = len(stored) - len(set(stored)) + len(kept) - len(set(kept)) + len(extra)
    require(not lost, lambda: f"{len(lost)} of {rows} are lost: {some(map(str, lost))}", lost=len(lost), doubled=doubled)
    require(not doubled, lambda: f"{doubled} too many: {some(map(str, extra))}", doubled=doubled)
    return Finding(len(expected), len(refused))


# What is said


def check_counts(gateway, counts):
    now = recount.counts_now(gateway)
    wrong = {space: (now.get(space), counts[space]) for space in counts if now.get(space) != counts[space]}
    excess = sum(abs((was or oracle.EMPTY).net - right.net) for was, right in wrong.values())
    require(not wrong, f"occupancy_now, and what the oracle counts: {wrong}", doubled=excess)


def check_retained(gateway):
    try:
        recount.wait_for_retained(gateway, SETTLE_SECONDS)
    except AssertionError as problem:
        raise Broken(str(problem)) from problem


def occupancy_said(answer):
    return oracle.Occupancy(answer["count"], answer["net"])


def check_answers(api, changes, dice):
    """The HTTP side now, and at instants at random, all of which are past."""
    for space, all_changes in changes.items():
        said = occupancy_said(api.ask(f"/spaces/{space}"))
        right = oracle.after_all(all_changes)
        require(said == right, f"GET /spaces/{space}: {said}, not {right}")
        if not all_changes:
            continue
        first, last = all_changes[0].time, all_changes[-1].time
        for _ in range(INSTANTS):
            instant = dice.randint(first - 1000, last)
            answer = api.ask(f"/spaces/{space}", time=oracle.utc(instant).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
            right = oracle.after_all(change for change in all_changes if change.time <= instant)
            require(
                occupancy_said(answer) == right,
                f"GET /spaces/{space} at {instant}: {occupancy_said(answer)}, not {right}",
            )


class Watch:
    """Listens to MQTT and asks by HTTP (if there is an `api`) all the time, and notes a revision that goes back."""

    def __init__(self, broker, api):
        self.states = States(broker)
        self.api = api
        self.answered = {}  # space: its revision by HTTP
        self.asked = 0
        self.steps_back = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.ask if api else self.ended.wait, daemon=True)

    def ask(self):
        spaces = [*ROOMS, "floor-0", "floor-1", "house"]
        connection = None
        while not self.ended.wait(0.02):
            space = spaces[self.asked % len(spaces)]
            try:
                connection = connection or self.api.connect(5.0)
                connection.request("GET", f"/spaces/{space}")
                answer = connection.getresponse()
                said = json.loads(answer.read()) if answer.status == 200 else answer.read()
            except (OSError, http.client.HTTPException):
                if connection is not None:
                    connection.close()
                connection = None
                continue
            self.asked += 1
            if answer.status == 200:
                note_revision(self.answered, said, "HTTP", self.steps_back)
            else:
                require(answer.status in (404, 500, 503), f"GET /spaces/{space}: {answer.status}")

    def check(self):
        require(self.thread.is_alive(), "the HTTP side answered what nobody expects")
        steps = self.steps_back + self.states.steps_back
        require(not steps, f"revisions went back: {steps[:5]}")

    def __enter__(self):
        self.states.open()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(10)
        self.states.close()


def note_revision(known, state, way, steps_back):
    before = known.get(state["id"], 0)
    if state["revision"] < before:
        steps_back.append(f"{way}: {state['id']}: {before}, then {state['revision']}")
    known[state["id"]] = max(before, state["revision"])


class States(Subscriber):
    """What the gateway says of spaces; what a broker has kept is older if it died."""

    def __init__(self, broker):
        super().__init__(broker, "space/+/state")
        self.known = {}
        self.steps_back = []

    def on_message(self, client, userdata, message):
        if message.payload and not message.retain:
            note_revision(self.known, json.loads(message.payload), "MQTT", self.steps_back)


# All of it


def world_sent(gateway, devices):
    """The registry as it is, and the events as they were sent."""
    world = recount.world_of(gateway)
    world.events = devices.events
    return world


def check(gateway, api, devices, watch, dice):
    """To be called while the devices pause. `api` is None where there is none."""
    world = world_sent(gateway, devices)
    finding = check_stored(gateway, devices, world)
    changes = {space: world.changes(space) for space in world.spaces}
    check_counts(gateway, {space: oracle.after_all(all_changes) for space, all_changes in changes.items()})
    check_retained(gateway)
    if api is not None:
        api.wait_ready()
        api.wait_connected()
        check_answers(api, changes, dice)
    watch.check()
    return finding
