"""The questions that people ask over HTTP, and their answers: now, then, in between. Every answer is held to the contract
too (harness.Api)."""

import base64
import csv
import io
import json
import random
import shutil
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

import sample_test
from doors import instant, make_space, refused, stored, text_of, walk
from harness import Headcount, Publisher, wait_until


# The questions that it was made for


def play(sample, folder, gateway):
    headcount = Headcount(gateway.config)
    sample_test.set_up(headcount)
    file = folder / "data.csv"
    sample_test.write_csv(file, sample.rows)
    headcount("replay", file)


@pytest.mark.parametrize("name", sample_test.SAMPLES)
def test_how_many_now_and_then(name, broker, gateway, api, tmp_path):
    sample = sample_test.SAMPLES[name]()
    play(sample, tmp_path, gateway)
    world = sample_test.world_of(sample.rows)
    dice = random.Random(name)
    for space in ("A", "B"):
        now = api.ask(f"/spaces/{space}")
        assert (now["count"], now["net"]) == sample.counts[space]
        assert now["revision"] > 0
        changes = world.changes(space)
        assert now["last_event_time"] == text_of(changes[-1].time)
        for moment in dice.sample([c.time + beside for c in changes for beside in (-1, 0, 1)], 60):
            then = api.ask(f"/spaces/{space}", time=text_of(moment))
            assert (then["count"], then["net"]) == world.at(space, moment)
            assert then["as_of"] == text_of(moment)
            last = max((c.time for c in changes if c.time <= moment), default=None)
            assert then["last_event_time"] == (last and text_of(last))


def test_the_seeds_own_questions(broker, gateway, api, tmp_path):
    play(sample_test.real_sample(), tmp_path, gateway)
    asked = {
        "2018-02-26 18:00": 13,
        "2018-02-27 00:00": 11,
        "2018-02-28 12:00": 2,
        "2018-03-01 09:30": 6,
    }
    for moment, count in asked.items():
        assert api.ask("/spaces/A", time=moment)["count"] == count
    assert api.ask("/spaces/A")["count"] == 4
    # As somebody types it.
    if shutil.which("curl"):
        url = f"http://127.0.0.1:{api.port}/spaces/A"
        typed = ["curl", "-sG", "--data-urlencode", "time=2018-02-26 18:00", url]
        said = subprocess.run(typed, check=True, capture_output=True).stdout
        assert json.loads(said)["count"] == 13


def test_before_anything_is_known_the_count_is_0_and_unknown(system):
    make_space(system, "late")
    walk(system, "late", ("2020-01-01T00:00:00Z", 5))
    then = system.ask("/spaces/late", time="2019-12-31 23:59:59.999")
    assert (then["count"], then["net"], then["health"], then["last_event_time"]) == (0, 0, "unknown", None)
    assert system.ask("/spaces/late", time="2020-01-01 00:00")["count"] == 5
    assert system.ask("/spaces/late", time="1970-01-01")["count"] == 0


def test_what_the_devices_say_is_the_health(system):
    make_space(system, "watched")
    walk(system, "watched", ("2020-01-01T00:00:00Z", 1))
    assert system.ask("/spaces/watched")["health"] == "unknown"
    with Publisher(system.gateway.broker) as dpu:
        for said, health in (("online", "healthy"), ("offline", "offline")):
            dpu.publish("dpu/watched-dpu/status", said)
            wait_until(lambda health=health: system.ask("/spaces/watched")["health"] == health)
    device = system.ask("/dpus/watched-dpu")
    assert device["online"] is False
    assert device["online_since"] is not None


def test_a_full_space_says_so(system):
    make_space(system, "small", capacity=8)
    walk(system, "small", ("2020-01-01T00:00:00Z", 3))
    assert system.ask("/spaces/small")["utilization"] == 0.375
    assert system.ask("/spaces/small", time="2019-01-01 00:00")["utilization"] == 0


# Times


UTC_1800 = [
    "time=2018-02-26%2018:00",
    "time=2018-02-26+18:00",
    "time=2018-02-26+18%3A00%3A00",
    "time=2018-02-26%2018:00:59.999",
    "time=2018-02-26T18:00:00Z",
    "time=2018-02-26t18:00:00z",
    "time=2018-02-26T19:00:00%2B01:00",
    "time=2018-02-26T13:00:00-05:00",
    "time=2018-02-26+13:00&timezone=space",
    "time=2018-02-26+13:00&timezone=America/New_York",
    "time=2018-02-26+13:00&timezone=America%2FNew_York",
    "time=2018-02-26+19:00&timezone=Europe/Berlin",
    "time=2018-02-26T18:00:00Z&timezone=Asia/Tokyo",  # an offset needs no zone
]


@pytest.mark.parametrize("query", UTC_1800)
def test_a_time_is_understood(system, minute, query):
    answer = system.request("GET", f"{minute}?{query}")
    assert answer.status == 200, answer.text
    assert answer.json()["count"] == 1


def test_a_date_is_its_first_instant(system, minute):
    assert system.ask(minute, time="2018-02-26")["as_of"] == "2018-02-26T00:00:00.000Z"
    local = system.ask(minute, time="2018-02-26", timezone="space")
    assert local["as_of"] == "2018-02-26T05:00:00.000Z"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "now",
        "yesterday",
        "18:00",
        "2018-02-26 18",
        "2018-02-26 18:60",
        "2018-02-26 24:00",
        "2018-02-30 18:00",
        "2018-13-01 18:00",
        "2018-02-26 18:00:00 01:00",  # what an unescaped + becomes
        "2018-02-26T18:00:00+25:00",
        "2018-02-26T18:00:00Zulu",
        "26.02.2018 18:00",
        "1519668000",
        "1969-12-31 23:59",
        "٢٠١٨-02-26 18:00",
    ],
)
def test_what_is_no_time_is_refused_by_name(system, minute, wrong):
    assert "expected a time" in refused(system.get(minute, time=wrong), "time")


@pytest.mark.parametrize("wrong", ["2999-01-01 00:00", "9999-12-31T23:59:59.999Z"])
def test_the_future_is_refused(system, minute, wrong):
    assert "future" in refused(system.get(minute, time=wrong), "time")
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    assert "future" in refused(system.get(minute, time=soon.isoformat()), "time")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "UTC+1", "../../etc/passwd", "/etc/localtime", "SPACE"])
def test_an_unknown_zone_is_refused_by_name(system, minute, zone):
    refused(system.get(minute, time="2018-02-26 18:00", timezone=zone), "timezone")
    refused(system.get(f"{minute}/counts", start="2018-02-26", timezone=zone), "timezone")


def test_a_local_time_that_the_clocks_skip_is_refused(system, minute):
    gap = {"time": "2026-03-29 02:30", "timezone": "Europe/Berlin"}
    detail = refused(system.get(minute, **gap), "time")
    assert "2026-03-29T01:00" in detail, "it says when the clocks moved"
    assert system.ask(minute, **{**gap, "time": "2026-03-29 01:59"})["as_of"] == "2026-03-29T00:59:00.000Z"
    assert system.ask(minute, **{**gap, "time": "2026-03-29 03:00"})["as_of"] == "2026-03-29T01:00:00.000Z"


def test_a_local_time_that_the_clocks_show_twice_is_refused(system, minute):
    overlap = {"time": "2026-10-25 02:30", "timezone": "Europe/Berlin"}
    detail = refused(system.get(minute, **overlap), "time")
    assert "2026-10-25T00:30" in detail and "2026-10-25T01:30" in detail, "it names both"
    assert system.ask(minute, **{**overlap, "time": "2026-10-25 01:59"})["as_of"] == "2026-10-24T23:59:00.000Z"
    assert system.ask(minute, **{**overlap, "time": "2026-10-25 03:00"})["as_of"] == "2026-10-25T02:00:00.000Z"
    for exact, count in (("2026-10-25T02:30:00+02:00", "00:30"), ("2026-10-25T02:30:00+01:00", "01:30")):
        assert system.ask(minute, time=exact)["as_of"] == f"2026-10-25T{count}:00.000Z"


# History by intervals


@pytest.mark.parametrize(
    "zone, start, end, hours",
    [
        ("Europe/Berlin", "2026-03-28", "2026-03-31", [24, 23, 24]),
        ("Europe/Berlin", "2025-10-25", "2025-10-28", [24, 25, 24]),
        ("Australia/Lord_Howe", "2026-04-04", "2026-04-07", [24, 24.5, 24]),
        ("Pacific/Apia", "2011-12-28", "2012-01-02", [24, 24, 24, 24]),  # the 30th was skipped
        ("UTC", "2026-03-28", "2026-03-31", [24, 24, 24]),
    ],
)
def test_a_local_day_is_as_long_as_it_was(system, zone, start, end, hours):
    name = f"days-{zone.replace('/', '-')}-{start}"
    make_space(system, name, timezone=zone)
    found = system.ask(f"/spaces/{name}/counts", start=start, end=end, interval="1d", timezone="space")
    assert found["timezone"] == zone
    lengths = [
        (instant(bucket["end"]) - instant(bucket["start"])) / 3_600_000 for bucket in found["buckets"]
    ]
    assert lengths == hours


def test_the_last_bucket_is_cut_at_the_end(system, minute):
    found = system.ask(f"{minute}/counts", start="2018-02-26 17:59", end="2018-02-26 18:01:30", interval="1m")
    ends = [bucket["end"][11:19] for bucket in found["buckets"]]
    assert ends == ["18:00:00", "18:01:00", "18:01:30"]
    assert [bucket["closing"] for bucket in found["buckets"]] == [0, 1, 2]
    assert [bucket["opening"] for bucket in found["buckets"]] == [0, 0, 1]


def test_without_an_end_the_history_goes_up_to_now(system, minute):
    begin = datetime.now(timezone.utc)
    start = (begin - timedelta(minutes=30)).isoformat()
    found = system.ask(f"{minute}/counts", start=start)
    assert found["interval"] == "5m"
    last = datetime.fromisoformat(found["buckets"][-1]["end"].replace("Z", "+00:00"))
    assert begin - timedelta(seconds=1) <= last <= datetime.now(timezone.utc) + timedelta(seconds=1)


@pytest.mark.parametrize(
    "parameter, parameters",
    [
        ("start", {}),
        ("start", {"start": "then"}),
        ("start", {"start": "2999-01-01"}),
        ("end", {"start": "2018-01-01", "end": "2018-01-01"}),
        ("end", {"start": "2018-01-01", "end": "2017-01-01"}),
        ("end", {"start": "2018-01-01", "end": "2999-01-01"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": ""}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "5"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "m"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "0m"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "-5m"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "5M"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "5 m"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "1y"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-02", "interval": "99999999999999999999m"}),
        ("interval", {"start": "2018-01-01", "end": "2018-01-07 22:41", "interval": "1m"}),  # 10,001 buckets
        ("interval", {"start": "1970-01-01", "end": "2018-01-01", "interval": "1m"}),
        ("format", {"start": "2018-01-01", "end": "2018-01-02", "format": "xml"}),
        ("colour", {"start": "2018-01-01", "end": "2018-01-02", "colour": "red"}),
    ],
)
def test_a_history_that_cannot_be_is_refused_by_name(system, minute, parameter, parameters):
    refused(system.get(f"{minute}/counts", **parameters), parameter)


def test_as_many_buckets_as_are_promised(system, minute):
    connection = system.connect()
    target = f"{minute}/counts?start=2018-01-01&end=2018-01-07+22:40&interval=1m"
    # Not checked: with so many the checker would take a minute.
    answer = system.request("GET", target, connection=connection, checked=False)
    connection.close()
    assert answer.status == 200, answer.text
    assert len(answer.json()["buckets"]) == 10_000


def test_a_crowd_that_stays_for_decades_does_not_overflow(system):
    make_space(system, "crowd", capacity=1_000_000_000)
    system.tell("POST", "/spaces/crowd/resets", {"count": 1_000_000_000, "at": "1970-01-01T00:00:00Z"})
    asked = {"start": "1970-01-01", "end": "2025-01-01", "interval": "999mo"}
    (bucket,) = system.ask("/spaces/crowd/counts", **asked)["buckets"]
    assert (bucket["average"], bucket["utilization"]) == (1_000_000_000, 1)


def test_csv_says_what_json_says(system, minute):
    asked = {"start": "2018-02-26 17:00", "end": "2018-02-26 19:00", "interval": "10m"}
    buckets = system.ask(f"{minute}/counts", **asked)["buckets"]
    for answer in (
        system.get(f"{minute}/counts", **asked, format="csv"),
        system.get(f"{minute}/counts", **asked, headers={"Accept": "text/csv"}),
        system.get(f"{minute}/counts", **asked, headers={"Accept": "application/json;q=0.5, text/csv"}),
    ):
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        for row in rows:
            row["average"] = float(row["average"])
        assert [
            {k: v if k == "average" else "" if v is None else str(v) for k, v in b.items()} for b in buckets
        ] == rows
    state = system.ask(minute, time="2018-02-26 18:30")
    row = next(csv.DictReader(io.StringIO(system.get(minute, time="2018-02-26 18:30", format="csv").text)))
    assert row["count"] == str(state["count"]) == "2"


def test_csv_quotes_what_must_be_quoted(system):
    name = 'Hall "1", ground\u00a0floor, größte'
    system.tell("POST", "/spaces", {"id": "quoted", "name": name})
    rows = csv.DictReader(io.StringIO(system.get("/spaces/quoted", format="csv").text, newline=""))
    assert [row["name"] for row in rows] == [name]


# Crossings


def test_the_crossings_of_a_space_page_by_page(system):
    make_space(system, "paged")
    dice = random.Random(5)
    begin = instant("2020-05-01T00:00:00Z")
    crossings = [(begin + n * 60_000, dice.choice((1, -1, 2))) for n in range(95)]
    walk(system, "paged", *crossings)
    items = system.pages("/spaces/paged/events", limit=10)
    assert [(instant(item["dpu_event_time"]), item["count"]) for item in items] == crossings
    assert {(item["dpu"], item["doorway"]) for item in items} == {("paged-dpu", "paged-door")}
    assert all(item["change"] == item["count"] for item in items)
    part = system.pages(
        "/spaces/paged/events", limit=7, start=text_of(begin + 60_000), end=text_of(begin + 600_000)
    )
    assert [instant(item["dpu_event_time"]) for item in part] == [c[0] for c in crossings[1:10]]


def test_crossings_of_one_millisecond_are_all_listed(system):
    make_space(system, "crowded")
    events = [{"dpu_event_time": "2020-05-01T00:00:00Z", "count": 1, "seq": n} for n in range(25)]
    with Publisher(system.gateway.broker) as dpu:
        dpu.publish("dpu/crowded-dpu/events", events)
    wait_until(lambda: stored(system, "crowded") == 25)
    assert [item["seq"] for item in system.pages("/spaces/crowded/events", limit=4)] == list(range(25))


def test_the_next_page_is_linked(system):
    for n in range(3):
        system.tell("POST", "/spaces", {"id": f"link-{n}", "parent": "link-0" if n else None})
    answer = system.get("/spaces", limit=1, parent="link-0")
    target = answer.headers["Link"].partition("<")[2].partition(">")[0]
    rest = system.request("GET", target)
    assert [item["id"] for item in rest.json()["items"]] == ["link-2"]
    assert "Link" not in rest.headers
    assert rest.json()["next"] is None
    assert system.ask("/spaces/link-0")["children"] == ["link-1", "link-2"]
    assert system.ask("/spaces/link-1")["parent"] == "link-0"


def test_place_among_events_that_no_page_has_told_is_refused(system):
    make_space(system, "placed")
    for place in ("-1,1,0,1", "-600000000000,1,0,1", "253402300800000,1,0,1", "0,1,0", "0,1,0,x", "no"):
        cursor = base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
        refused(system.get("/spaces/placed/events", cursor=cursor), "cursor")


@pytest.mark.parametrize("path", ["/spaces", "/doorways", "/dpus", "/installations", "/rejected-events"])
def test_lists_are_complete_however_they_are_cut(system, path):
    token = system.add_token("admin")
    system.token = token
    try:
        make_space(system, f"listed{path.replace('/', '-')}")
        whole = system.pages(path, limit=1000)
        keys = [item["id"] for item in whole]
        assert len(set(keys)) == len(keys)
        for limit in (1, 3):
            assert [item["id"] for item in system.pages(path, limit=limit)] == keys
        for cursor in ("", "!", "A" * 513, "zzzz"):
            refused(system.get(path, cursor=cursor), "cursor")
        for limit in ("0", "1001", "-1", "ten", "", "1e2"):
            refused(system.get(path, limit=limit), "limit")
    finally:
        system.token = None


def test_what_was_rejected_is_listed_replayed_and_removed(system):
    with Publisher(system.gateway.broker) as dpu:
        dpu.publish("dpu/odd/events", b'{"dpu_event_time": "2020-05-01", "count": "\xff"}')
        dpu.publish("dpu/stranger/events", {"dpu_event_time": "2020-05-01T00:00:00Z", "count": 1})
    system.token = system.add_token("admin")
    try:
        wait_until(lambda: len(system.pages("/rejected-events", dpu="stranger")) == 1)
        (item,) = system.pages("/rejected-events", dpu="stranger", reason="unknown_dpu")
        assert json.loads(item["item"])["count"] == 1
        assert system.pages("/rejected-events", dpu="stranger", reason="malformed") == []
        (odd,) = system.pages("/rejected-events", dpu="odd")
        assert "\ufffd" in odd["item"]
        tally = system.tell("POST", "/rejected-events/replay", {"dpu": "stranger"}, status=200)
        assert tally == {"stored": 0, "duplicates": 0, "rejected": 1, "removed": 0}
        assert system.tell("DELETE", f"/rejected-events/{odd['id']}", status=200)["removed"] == 1
        assert system.pages("/rejected-events", dpu="odd") == []
        gone = system.request("DELETE", "/rejected-events?dpu=stranger")
        assert gone.json()["removed"] == 1
        refused(system.get("/rejected-events", reason="boredom"), "reason")
    finally:
        system.token = None
