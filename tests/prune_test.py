"""After a prune, hours are what is left of the past, and everything that is still promised is as it was.

The first part gives random stories to the program without a broker and judges it by the oracle; HEADCOUNT_SEED=N
repeats one. The second has a real gateway.
"""

import json
import random

import pytest

import bucket_oracle
import oracle
import recount
from devices import DPUS, START, build
from driver import Driver
from harness import Api, Broker, Gateway, Headcount, wait_until
from loader import Loader
from oracle import HOUR
from property_test import folder, parsed_item, run, seed  # noqa: F401 (fixtures)
from story import DAY, Commit, Message, Story, rfc3339


class Past:
    """What a story's world was when its horizon was set: the promise for all before it."""

    def __init__(self, story, horizon):
        self.horizon = horizon
        self.world = story.world
        self.changes = {
            space: [c for c in story.world.changes(space) if c.time < horizon]
            for space in story.world.spaces
        }

    def now(self, space):
        """All changes that are known: those before the horizon as they were."""
        return self.changes[space] + [
            c for c in self.world.changes(space) if c.time >= self.horizon
        ]

    def answer(self, space, instant):
        """(count, net, as_of)"""
        changes = self.now(space)
        end = instant // HOUR * HOUR + HOUR
        if instant < self.horizon and any(instant < c.time < end for c in changes):
            instant = end - HOUR - 1
        known = [c for c in changes if c.time <= instant]
        return (*oracle.after_all(known), instant)


def check_answers(driver, past, dice, span):
    begin, end = span
    moments = [c.time + d for changes in past.changes.values() for c in changes for d in (-1, 0, 1)]
    moments += [past.horizon + d for d in (-HOUR, -1, 0, 1, HOUR)]
    moments += [dice.randrange(begin, end) for _ in range(20)]
    moments = sorted(max(0, m) for m in dice.sample(moments, min(len(moments), 150)))
    for space in past.world.spaces:
        found = driver.look_back(space, moments)
        assert found == [past.answer(space, m) for m in moments], space
        assert driver.now(space) == oracle.after_all(past.now(space)), space
        assert driver.ask("check", space) == ([], ""), space


def expected_bucket(past, bucket, changes):
    """As the oracle's, but for the time of the highest count: before the horizon, its hour."""
    highest = bucket.max_time
    if bucket.start < highest < past.horizon:
        highest = highest // HOUR * HOUR
    return [
        *bucket[2:9],
        highest,
        pytest.approx(float(bucket.average), abs=0.000001),
    ]


def check_buckets(driver, past, dice, span):
    begin, end = (instant // HOUR for instant in span)
    for space in past.world.spaces:
        changes = past.now(space)
        hours = sorted(dice.sample(range(begin, end + 2), min(20, end + 2 - begin)))
        edges = [hour * HOUR for hour in hours]
        right = bucket_oracle.buckets(changes, edges)
        found = driver.buckets(space, edges)
        assert found == [expected_bucket(past, bucket, changes) for bucket in right], space
        odd = past.horizon - dice.randrange(1, HOUR)
        assert driver.buckets(space, [odd, past.horizon]) is None
        assert driver.buckets(space, [past.horizon, past.horizon + 1]) is not None


def tell(driver, story, dice, past):
    """Events and daily resets go on to come, late ones too. Returns those that are too old."""
    for _ in range(15):
        story.pass_time()
        story.happen()
        story.upload()
    steps, story.steps = story.steps, []
    run(driver, [*steps, Commit()], dice)
    sent = (event for step in steps if isinstance(step, Message) for event in step.events)
    return {event for event in sent if event.time < past.horizon}


def too_old(driver):
    with driver.tables() as tables:
        rows = tables.execute("SELECT dpu_id, item FROM rejected_event WHERE reason = 'too_old'")
        return {parsed_item(dpu, item) for dpu, item in rows}


def prune(driver, dice):
    """To the end, with whatever may befall the gateway meanwhile."""
    steps = 0
    while driver.prune_some():
        steps += 1
        if dice.random() < 0.1:
            driver.kill()
    return steps


def test_what_is_promised_after_a_prune_is_what_the_oracle_says(seed, folder):  # noqa: F811
    story = Story(seed)
    dice = random.Random(seed)
    story.set_up()
    story.go_on(turns=50)
    with Driver(folder / "headcount.db") as driver:
        run(driver, story.steps, dice)
        story.steps = []
        span = (story.begin - 5 * DAY, story.now)
        first = dice.randrange(span[0], span[1]) // HOUR * HOUR
        second = dice.randrange(first, span[1]) // HOUR * HOUR
        past = None
        for horizon in (first, second):
            driver.request(
                story.now,
                1,
                {
                    "action": "prune",
                    "object": "history",
                    "values": {"before": rfc3339(horizon)},
                },
            )
            assert driver.commit()[1]["status"] == 202
            story.world.write_daily_resets(story.now)
            before = past
            past = Past(story, horizon)
            if before is not None:
                for space, changes in past.changes.items():
                    kept = [c for c in changes if c.time >= before.horizon]
                    past.changes[space] = before.changes[space] + kept
            check_answers(driver, past, dice, span)  # though nothing is gone yet
            driver.prune_some()
            check_buckets(driver, past, dice, span)
            expected = tell(driver, story, dice, past)
            prune(driver, dice)
            assert expected <= too_old(driver)
            with driver.tables() as tables:
                (left,) = tables.execute(
                    "SELECT count(*) FROM installation_count WHERE dpu_event_time < ?", (horizon,)
                ).fetchone()
                (free,) = tables.execute("PRAGMA freelist_count").fetchone()
            assert (left, free) == (0, 0)
            span = (span[0], story.now)
            check_answers(driver, past, dice, span)
            check_buckets(driver, past, dice, span)
            tell(driver, story, dice, past)
            story.world.write_daily_resets(story.now)
            for number, space in enumerate(story.world.spaces):
                command = {"action": "rebuild", "object": "space", "id": space}
                driver.request(story.now, number, command)
            driver.commit()
            check_answers(driver, past, dice, span)
            check_buckets(driver, past, dice, span)


# A real gateway

FIRST = START // DAY * DAY
HORIZON = FIRST + 5 * DAY
EVENTS = 40_000
STEP = 10 * DAY // EVENTS


@pytest.fixture
def gateway(tmp_path):
    with Broker(tmp_path) as broker, Gateway(broker, tmp_path) as running:
        build(running)
        yield running


@pytest.fixture
def headcount(gateway):
    return Headcount(gateway.config)


def events(first, count, dice):
    for n in range(first, first + count):
        item = {"dpu_event_time": FIRST + n * STEP, "count": dice.choice((1, 1, -1)), "seq": n}
        yield dice.choice(DPUS), item


def send(gateway, items):
    by_dpu = {}
    for dpu, item in items:
        by_dpu.setdefault(dpu, []).append(item)
    with Loader(gateway.broker.port, "prune") as loader:
        for dpu, mine in by_dpu.items():
            for first in range(0, len(mine), 500):
                loader.send(f"dpu/{dpu}/events", json.dumps(mine[first : first + 500]).encode())
        loader.flush()


def rows(gateway, where="1"):
    return gateway.value(f"SELECT count(*) FROM installation_count WHERE {where}")


def fill(gateway, count=EVENTS):
    send(gateway, events(0, count, random.Random(5)))
    wait_until(lambda: rows(gateway) == count, 120, "all are stored")


def text_of(instant):
    return rfc3339(instant).replace("+00:00", "Z")


def day(instant):
    return rfc3339(instant)[:10]


def test_a_prune_that_is_killed_goes_on_and_takes_events_meanwhile(gateway, headcount):
    fill(gateway)
    before = recount.world_of(gateway)
    pages = gateway.value("SELECT page_count FROM pragma_page_count")
    # What comes in meanwhile: of now, and of long ago.
    fresh = list(events(EVENTS, 4000, random.Random(6)))
    old = list(events(100, 50, random.Random(7)))
    headcount("prune", "--before", day(HORIZON), "--no-wait")
    for n in range(8):
        send(gateway, fresh[n * 500 : n * 500 + 500] + old)
        if rows(gateway, f"dpu_event_time < {HORIZON}") > 0 or n == 0:
            gateway.kill()
            gateway.start()
    assert headcount.json("prune", "--before", day(HORIZON)) == {
        "horizon": text_of(HORIZON),
        "done": True,
    }
    wait_until(lambda: rows(gateway, f"dpu_event_time >= {FIRST + EVENTS * STEP}") == 4000, 60, "all is in")
    assert rows(gateway, f"dpu_event_time < {HORIZON}") == 0
    assert gateway.value("SELECT freelist_count FROM pragma_freelist_count") == 0
    assert gateway.value("SELECT page_count FROM pragma_page_count") < pages
    assert gateway.database.stat().st_size < pages * 4096
    assert gateway.value("SELECT count(*) FROM rejected_event WHERE reason <> 'too_old'") == 0
    wait_until(
        lambda: gateway.value("SELECT count(*) FROM rejected_event") == len({str(item) for item in old}),
        30,
        "each that is too old is kept once",
    )
    before.events |= recount.world_of(gateway).events
    recount.check_counts(before, gateway)
    recount.wait_for_retained(gateway)
    assert "all in step" in headcount("check")
    headcount("rebuild")
    recount.check_counts(before, gateway)


def test_what_would_change_the_pruned_past_is_refused(gateway, headcount):
    fill(gateway, 4000)
    headcount("space", "add", "other")
    headcount("prune", "--before", day(HORIZON))
    earlier, later = rfc3339(HORIZON - 1), rfc3339(HORIZON)
    before = recount.counts_now(gateway)
    for refused in (
        ("reset", "house", "5", "--at", earlier),
        ("installation", "set", "1", "--orientation", "1"),  # dpu-0 faces out
        ("installation", "set", "1", "--until", earlier),
        ("installation", "remove", "1"),
        ("move", "dpu-2", "door-2", "--at", earlier),
        ("doorway", "set", "door-0", "--space", "other"),
        ("space", "set", "room-0", "--parent", "other"),
        ("prune", "--before", day(HORIZON - DAY)),
        ("prune", "--before", rfc3339(HORIZON + 1)),
        ("prune", "--before", "2100-01-01"),
    ):
        result = headcount.run(*refused)
        assert result.returncode == 1, refused
    assert text_of(HORIZON) in headcount.run("installation", "remove", "1").stderr
    assert recount.counts_now(gateway) == before
    assert "all in step" in headcount("check")
    # What begins at the horizon is free.
    headcount("reset", "house", "5", "--at", later)
    headcount("installation", "set", "1", "--until", later)
    headcount("installation", "add", "--dpu", "dpu-0", "--doorway", "door-0", "--from", later)
    headcount("space", "set", "room-0", "--name", "Hall", "--capacity", "9")
    assert "all in step" in headcount("check")
    assert gateway.value("SELECT count(*) FROM rejected_event") == 0


def test_http_answers_by_the_hour_and_says_so(gateway, headcount, tmp_path):
    fill(gateway)
    with Api(gateway, tmp_path) as api:
        hour = FIRST + 3 * HOUR
        span = {"start": day(FIRST), "end": day(HORIZON + DAY)}
        whole = api.ask("/spaces/house/counts", interval="1h", **span)["buckets"]
        within = api.ask("/spaces/house", time=rfc3339(hour + 60_000))
        assert within["as_of"] == text_of(hour + 60_000)
        headcount("prune", "--before", day(HORIZON))
        assert rows(gateway, f"dpu_event_time < {HORIZON}") == 0
        after = api.ask("/spaces/house/counts", interval="1h", **span)["buckets"]
        for old, new in zip(whole, after, strict=True):
            if new["start"] < rfc3339(HORIZON):
                old["max_time"] = old["start"]
            assert old == new

        answer = api.get("/spaces/house/counts", interval="5m", **span)
        assert answer.status == 400
        assert "only whole hours" in answer.json()["detail"]
        # Another instant than before: what the api remembers of the past stays true.
        answer = api.ask("/spaces/house", time=rfc3339(hour + 120_000))
        assert answer["as_of"] == text_of(hour - 1)
        opening = {bucket["start"]: bucket["opening"] for bucket in after}
        assert answer["count"] == opening[text_of(hour)]

        assert api.get("/spaces/house/events", **span).status == 410
        items = api.pages("/spaces/house/events")
        assert items
        assert min(item["dpu_event_time"] for item in items) >= rfc3339(HORIZON)[:19]
