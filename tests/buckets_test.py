"""The history of a space by intervals: every number of every bucket against bucket_oracle.py, for random data, in
timezones whose clocks change both ways, from a minute to months, and while late events arrive.

HEADCOUNT_SEED=N repeats a random round, HEADCOUNT_ROUNDS=N tries so many.
"""

import os
import random
import threading
from datetime import datetime, timezone

import pytest

import bucket_oracle
import recount
from doors import text_of
from harness import Publisher
from oracle import milliseconds

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
FIXED_SEEDS = (1, 2, 3)

# With instants at which their clocks change, forwards and back.
ZONES = {
    "UTC": ["2025-01-01"],
    "Europe/Berlin": ["2025-03-30", "2025-10-26"],
    "America/New_York": ["2025-03-09", "2025-11-02"],
    "Australia/Lord_Howe": ["2025-04-06", "2025-10-05"],  # by half an hour
    "America/Santiago": ["2025-04-06", "2025-09-07"],  # at midnight
    "Asia/Kathmandu": ["2025-06-01"],  # 5:45
    "Pacific/Apia": ["2011-12-30"],  # a day that there was not
}
INTERVALS = {"m": (1, 2, 7, 30, 60, 90), "h": (1, 3, 5, 24), "d": (1, 2, 10), "w": (1, 2), "mo": (1, 2, 5)}
LENGTHS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY, "mo": 30 * DAY}
MOST_BUCKETS = 120
NUMBERS = ("opening", "closing", "net", "entries", "exits", "min", "max")


def seeds():
    if "HEADCOUNT_SEED" in os.environ:
        return [int(os.environ["HEADCOUNT_SEED"])]
    rounds = int(os.environ.get("HEADCOUNT_ROUNDS", "1"))
    return [*FIXED_SEEDS, *(random.randrange(1000, 2**31) for _ in range(rounds))]


@pytest.fixture(params=seeds())
def seed(request, capsys):
    with capsys.disabled():
        print(f"\nHEADCOUNT_SEED={request.param}", flush=True)
    return request.param


class Place:
    """A hall with a room in it, in some timezone, and people around a change of its clocks."""

    def __init__(self, api, seed):
        self.api = api
        self.dice = random.Random(seed)
        self.zone, days = self.dice.choice(list(ZONES.items()))
        day = datetime.fromisoformat(self.dice.choice(days)).replace(tzinfo=timezone.utc)
        self.middle = milliseconds(day) + self.dice.randrange(DAY)
        self.hall, self.room = f"hall-{seed}", f"room-{seed}"
        self.dpus = {f"front-{seed}": self.hall, f"inner-{seed}": self.room, f"back-{seed}": self.hall}
        self.spread = self.dice.choice((HOUR, DAY, 40 * DAY, 400 * DAY))
        self.set_up()

    def set_up(self):
        tell = self.api.tell
        tell("POST", "/spaces", {"id": self.hall, "timezone": self.zone, "capacity": 7})
        tell("POST", "/spaces", {"id": self.room, "timezone": self.zone})
        for dpu, space in self.dpus.items():
            beyond = self.hall if space == self.room else None
            tell("POST", "/dpus", {"id": dpu})
            tell("POST", "/doorways", {"id": dpu, "space": space, "adjacent_space": beyond})
            begin = {"dpu": dpu, "doorway": dpu, "started_at": "1970-01-01T00:00:00Z"}
            tell("POST", "/installations", {**begin, "orientation": self.dice.choice((1, -1))})

    def moment(self):
        """Often on the edge of a minute, an hour or a day, or a millisecond beside it."""
        at = self.middle + self.dice.randrange(-self.spread, self.spread)
        if self.dice.random() < 0.5:
            size = self.dice.choice((MINUTE, 15 * MINUTE, HOUR, DAY))
            at = at // size * size + self.dice.choice((-1, 0, 0, 1))
        return min(max(at, 0), milliseconds(datetime.now(timezone.utc)) - HOUR)

    def events(self, count):
        return [
            (
                self.dice.choice(list(self.dpus)),
                {"dpu_event_time": self.moment(), "count": self.dice.choice((1, 1, 1, -1, -1, 3, -4)),
                 "seq": self.dice.randrange(3)},
            )
            for _ in range(count)
        ]  # fmt: skip

    def send(self, events):
        with Publisher(self.api.gateway.broker) as publisher:
            for dpu, event in events:
                publisher.send(f"dpu/{dpu}/events", event)
            publisher.flush()
        # In order with the events: when it is done, so are they.
        self.reset(self.moment())

    def reset(self, at):
        body = {"count": self.dice.randrange(6), "at": text_of(at)}
        space = self.dice.choice((self.hall, self.room))
        answer = self.api.request(
            "POST", f"/spaces/{space}/resets", body, token=self.api.tokens["admin"]
        )
        assert answer.status in (201, 409), answer.text

    def question(self):
        """Parameters of a history, and its edges."""
        unit = self.dice.choice(list(INTERVALS))
        length = self.dice.choice(INTERVALS[unit])
        start = self.moment()
        span = LENGTHS[unit] * length * self.dice.randrange(1, MOST_BUCKETS)
        end = min(start + self.dice.randrange(1, span + 1), milliseconds(datetime.now(timezone.utc)))
        zone = self.dice.choice((self.zone, self.zone, "space", "UTC"))
        parameters = {
            "start": text_of(start),
            "end": text_of(end),
            "interval": f"{length}{unit}",
            "timezone": zone,
        }
        name = self.zone if zone == "space" else zone
        return parameters, bucket_oracle.edges(start, end, length, unit, name)


def read(bucket):
    """A bucket of an answer, in the oracle's form but for the average."""
    return {
        "start": bucket["start"],
        "end": bucket["end"],
        "max_time": bucket["max_time"],
        **{name: bucket[name] for name in NUMBERS},
    }


def expected(bucket):
    return {
        "start": text_of(bucket.start),
        "end": text_of(bucket.end),
        "max_time": text_of(bucket.max_time),
        **{name: getattr(bucket, name) for name in NUMBERS},
    }


def check_buckets(found, right, capacity):
    assert len(found) == len(right)
    for bucket, oracles in zip(found, right):
        assert read(bucket) == expected(oracles)
        assert abs(bucket["average"] - oracles.average) <= 0.00005001, (bucket, oracles)
        if capacity is None:
            assert bucket["utilization"] is None
        else:
            assert abs(bucket["utilization"] - oracles.average / capacity) <= 0.00005001, (bucket, oracles)


def check_place(place, questions):
    world = recount.world_of(place.api.gateway)
    for space, capacity in ((place.hall, 7), (place.room, None)):
        changes = world.changes(space)
        for _ in range(questions):
            parameters, edges = place.question()
            answer = place.api.ask(f"/spaces/{space}/counts", **parameters)
            right = bucket_oracle.buckets(changes, edges)
            check_buckets(answer["buckets"], right, capacity)
            last = max((c.time for c in changes if c.time < edges[-1] and c.kind < 2), default=None)
            assert answer["last_event_time"] == (last and text_of(last))


def test_every_number_of_every_bucket_is_the_oracles(system, seed):
    place = Place(system, seed)
    for _ in range(3):  # the later ones are late
        place.send(place.events(120))
        check_place(place, questions=12)


def is_one_moments(buckets, capacity):
    """Do the buckets of one answer fit together, as those of one moment do?"""
    for before, after in zip(buckets, buckets[1:]):
        assert (before["end"], before["closing"]) == (after["start"], after["opening"])
    for bucket in buckets:
        assert bucket["min"] <= min(bucket["opening"], bucket["closing"])
        assert bucket["max"] >= max(bucket["opening"], bucket["closing"])
        assert bucket["min"] - 0.0001 <= bucket["average"] <= bucket["max"] + 0.0001


def test_while_late_events_arrive_every_answer_is_of_one_moment(system):
    place = Place(system, 99)
    place.send(place.events(50))
    question, edges = place.question()
    while len(edges) < 20:
        question, edges = place.question()
    done = threading.Event()

    def send():
        for _ in range(15):
            place.send(place.events(40))
        done.set()

    sender = threading.Thread(target=send)
    sender.start()
    revisions = []
    while not done.is_set():
        answer = system.ask(f"/spaces/{place.hall}/counts", **question)
        is_one_moments(answer["buckets"], 7)
        revisions.append(answer["revision"])
    sender.join()
    assert revisions == sorted(revisions)
    assert len(set(revisions)) > 3, "it was asked while events arrived"
    check_place(place, questions=10)
