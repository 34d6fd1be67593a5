"""The HTTP side, asked as people and programs ask it: real mosquitto, gateway and api. Every answer here is held to the
contract too (harness.Api)."""

import contextlib
import csv
import http.client
import io
import json
import random
import shutil
import socket
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

import contract
import sample_test
from harness import Answer, Api, Broker, Gateway, Headcount, Publisher, wait_until
from oracle import milliseconds, utc

LIMIT_URL, LIMIT_HEADER, LIMIT_BODY = 8192, 16384, 65536


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """Broker, gateway and api that the tests of this file share; each makes spaces of its own."""
    folder = tmp_path_factory.mktemp("system")
    with Broker(folder) as broker, Gateway(broker, folder) as gateway, Api(gateway, folder) as api:
        api.wait_connected()
        yield api


def text_of(instant):
    """As the api writes it."""
    return utc(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text):
    return milliseconds(datetime.fromisoformat(text.replace("Z", "+00:00")))


def make_space(api, name, **members):
    """A space with one doorway and a DPU, which hangs there since 2018: space A has doorway A-door, DPU A-dpu."""
    api.tell("POST", "/spaces", {"id": name, **members})
    api.tell("POST", "/doorways", {"id": f"{name}-door", "space": name})
    api.tell("POST", "/dpus", {"id": f"{name}-dpu"})
    installation = {"dpu": f"{name}-dpu", "doorway": f"{name}-door", "started_at": "2018-01-01T00:00:00Z"}
    api.tell("POST", "/installations", installation)


def walk(api, name, *crossings):
    """Crossings at the door of a space: (time, count). Returns when all are stored."""
    before = stored(api, name)
    events = [{"dpu_event_time": when, "count": count} for when, count in crossings]
    with Publisher(api.gateway.broker) as dpu:
        dpu.publish(f"dpu/{name}-dpu/events", events)
    wait_until(lambda: stored(api, name) == before + len(crossings), message="all is stored")


def stored(api, name):
    return api.gateway.value(
        "SELECT count(*) FROM installation_count AS c JOIN installation ON installation.id = c.installation"
        " JOIN dpu ON dpu.id = installation.dpu WHERE dpu_id = ?",
        (f"{name}-dpu",),
    )


def refused(answer, parameter=None, status=400):
    """The detail of a problem, which names the parameter."""
    assert answer.status == status, answer.text
    problem = answer.json()
    assert problem.get("parameter") == parameter, problem
    return problem["detail"]


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


@pytest.fixture(scope="module")
def minute(system):
    """A space that one person enters at 18:00 and a second at 18:01."""
    make_space(system, "minute", timezone="America/New_York")
    walk(system, "minute", ("2018-02-26T18:00:00Z", 1), ("2018-02-26T18:01:00Z", 1))
    return "/spaces/minute"


SIX = [
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


@pytest.mark.parametrize("query", SIX)
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
    answer = system.request("GET", target, connection=connection, checked=False)  # 10,000 take the checker a minute
    connection.close()
    assert answer.status == 200, answer.text
    assert len(answer.json()["buckets"]) == 10_000


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


# What HTTP has


def test_an_answer_that_has_not_changed_is_not_sent_again(system):
    make_space(system, "etag")
    walk(system, "etag", ("2020-01-01T00:00:00Z", 1))
    for path in (
        "/spaces/etag",
        "/spaces/etag?time=2020-06-01+00:00",
        "/spaces/etag/counts?start=2020-01-01&end=2020-01-02&interval=1h",
    ):
        first = system.request("GET", path)
        tag = first.headers["ETag"]
        for names in (tag, f'"other", {tag}', "*"):
            again = system.request("GET", path, headers={"If-None-Match": names})
            assert again.status == 304, names
            assert again.headers["ETag"] == tag
        assert system.request("GET", path, headers={"If-None-Match": '"other"'}).status == 200
        other = system.request("GET", path, headers={"Accept": "text/csv"})
        assert other.headers["ETag"] != tag
        walk(system, "etag", (random.randrange(instant("2020-01-01T00:00:00Z"), instant("2020-01-02T00:00:00Z")), 1))
        changed = system.request("GET", path, headers={"If-None-Match": tag})
        assert changed.status == 200, "late data changes the past"
        assert changed.headers["ETag"] != tag
        assert changed.json() != first.json()


def test_a_tag_changes_with_whatever_the_answer_shows(system):
    make_space(system, "shown")
    changes = [
        lambda: system.tell("PATCH", "/spaces/shown", {"name": "Shown"}),
        lambda: system.tell("PATCH", "/spaces/shown", {"daily_reset": "04:00"}),
        lambda: system.tell("POST", "/spaces", {"id": "shown-inside", "parent": "shown"}),
        lambda: system.tell("PATCH", "/spaces/shown-inside", {"parent": None}),
        lambda: system.tell("PATCH", "/spaces/shown-inside", {"parent": "shown"}),
        lambda: system.tell("DELETE", "/spaces/shown-inside"),
        lambda: system.tell("POST", "/spaces/shown/resets", {"count": 5}),
        lambda: walk(system, "shown", ("2020-01-01T00:00:00Z", 1)),
    ]
    for n, change in enumerate(changes):
        before = system.get("/spaces/shown")
        change()
        after = system.get("/spaces/shown", headers={"If-None-Match": before.headers["ETag"]})
        assert after.status == 200, f"change {n}"
        shown = [{**answer.json(), "as_of": None, "revision": None} for answer in (before, after)]
        assert shown[0] != shown[1] or n == len(changes) - 1  # that one is before a reset


def test_how_long_an_answer_may_be_kept(system, minute):
    now = system.get(minute).headers["Cache-Control"]
    assert "no-cache" in now or "max-age=0" in now
    assert "max-age=" in system.get(minute, time="2018-02-26 18:00").headers["Cache-Control"]


@pytest.mark.parametrize("path", ["", "?time=2018-02-26+18:00", "?format=csv", "/counts?start=2018-02-26&end=2018-02-27", "/events"])
def test_head_is_get_without_a_body(system, minute, path):
    get = system.request("GET", minute + path)
    head = system.request("HEAD", minute + path)
    assert head.status == get.status == 200
    assert head.body == b""
    same = {"Content-Type", "ETag", "Cache-Control", "Vary", "Link"}
    assert {n: head.headers[n] for n in same} == {n: get.headers[n] for n in same}


def test_every_path_says_what_it_allows(system):
    assert system.request("OPTIONS", "/spaces/A").status == 204
    assert system.request("DELETE", "/spaces").status == 405
    assert system.request("BREW", "/spaces").status == 405
    assert system.request("OPTIONS", "/nowhere").status == 404


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/spaces/", "/spaces/nowhere", "/spaces/a%2Fb", "/spaces/ü", "/spaces/" + "x" * 65, "/spaces//counts",
     "/spaces/nowhere/counts?start=2018-01-01", "/spaces/nowhere/events", "/dpus/nowhere", "/doorways/nowhere",
     "/installations/999999", "/installations/first", "/installations/99999999999999999999", "/spaces/A/B/C/D/E/F",
     "/spaces/..%2f", "/.."],
)  # fmt: skip
def test_what_is_not_there_is_not_found(system, path):
    quoted = path.encode("utf-8").decode("latin-1")
    assert raw(system, f"GET {quoted} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").status == 404


def test_an_accept_that_admits_nothing_is_a_406(system, minute):
    for accept in ("text/html", "application/xml", "application/json;q=0, text/csv;q=0", "image/*"):
        assert system.get(minute, headers={"Accept": accept}).status == 406
    for accept in ("*/*", "application/*", "text/html, */*;q=0.1", "application/json", "", "text/*"):
        assert system.get(minute, headers={"Accept": accept}).status == 200
    assert system.get(minute, headers={"Accept": "text/*"}).headers["Content-Type"].startswith("text/csv")
    assert system.get("/doorways/none", headers={"Accept": "text/html"}).status == 406


def test_the_format_goes_before_accept(system, minute):
    answer = system.get(minute, format="json", headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_parameter_that_there_is_not_or_twice_is_refused(system, minute):
    refused(system.get(minute, when="2018-02-26"), "when")
    refused(system.request("GET", minute + "?time=2018-02-26&time=2018-02-27"), "time")
    refused(system.request("GET", "/healthz?verbose=1"), "verbose")


def test_large_answers_are_compressed_for_who_takes_that(system, minute):
    asked = {"start": "2018-02-26", "end": "2018-02-27", "interval": "5m"}
    plain = system.get(f"{minute}/counts", **asked)
    packed = system.get(f"{minute}/counts", **asked, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 4
    assert packed.json()["buckets"] == plain.json()["buckets"]
    for takes in ("identity", "br", "gzip;q=0", "*;q=0, identity"):
        answer = system.get(f"{minute}/counts", **asked, headers={"Accept-Encoding": takes})
        assert "Content-Encoding" not in answer.headers, takes
    assert "Content-Encoding" not in system.get("/healthz", headers={"Accept-Encoding": "gzip"}).headers


def raw(api, text, more=b""):
    """The answer to bytes as they are: an Answer without the check of the contract."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        with contextlib.suppress(OSError):  # it need not read to the end
            connection.sendall((text if isinstance(text, bytes) else text.encode("latin-1")) + more)
            connection.shutdown(socket.SHUT_WR)  # nothing more comes
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())


def test_limits_are_those_of_the_contract(system):
    token = system.add_token("admin")
    head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    json_head = head + "Content-Type: application/json\r\n"
    filler = "x" * LIMIT_URL
    assert raw(system, f"GET /spaces?cursor={filler} HTTP/1.1\r\n{head}\r\n").status == 414
    long = f"X-Long: {'x' * LIMIT_HEADER}\r\n"
    assert raw(system, f"GET /spaces HTTP/1.1\r\n{head}{long}\r\n").status == 431
    for size in (LIMIT_BODY + 1, 10**9, 10**30):
        declared = f"POST /spaces HTTP/1.1\r\n{json_head}Content-Length: {size}\r\n\r\n"
        assert raw(system, declared).status == 413, size
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    chunked = f"POST /spaces HTTP/1.1\r\n{json_head}Transfer-Encoding: chunked\r\n\r\n"
    assert raw(system, chunked, chunk * 2 + b"0\r\n\r\n").status == 413
    body = json.dumps({"id": "padded"}).ljust(LIMIT_BODY)
    fits = f"POST /spaces HTTP/1.1\r\n{json_head}Content-Length: {LIMIT_BODY}\r\n\r\n{body}"
    assert raw(system, fits).status == 201


def test_a_body_of_another_kind_is_a_415(system):
    token = system.add_token("admin")
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ):
        answer = system.request("POST", "/spaces", b'{"id": "kind"}', headers, token)
        assert answer.status == 415, headers
    kind = {"Content-Type": "application/json; charset=utf-8"}
    assert system.request("POST", "/spaces", b'{"id": "kind"}', kind, token).status == 201


@pytest.mark.parametrize(
    "request_",
    [
        b"GARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET /spaces HTTP/9.9\r\n\r\n",
        b"GET /spaces HTTP/1.1\r\n\r\n",  # without Host
        b"GET /spaces HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /spaces?cursor=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /spaces/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /spaces?cursor=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_request_harms_nobody(system, request_):
    # An end of the connection is an answer too.
    with contextlib.suppress(ConnectionError, http.client.HTTPException):
        assert 400 <= raw(system, request_).status < 500 or request_.startswith(b"GET /spaces HTTP/9.9")
    assert system.ask("/healthz") == {"status": "ok"}


@pytest.fixture
def strict(system, tmp_path):
    """An api with little patience."""
    limits = {"timeout_s": 1, "connections_per_address": 5}
    with Api(system.gateway, tmp_path, {"api": limits}) as api:
        wait_until(lambda: is_served(api))
        yield api


def is_served(api):
    """Is there a connection left for this address?"""
    with contextlib.suppress(ConnectionError, http.client.HTTPException):
        return api.get("/healthz").status == 200
    return False


@pytest.mark.parametrize(
    "begun",
    [
        b"G",
        b"GET /spa",
        b"GET /spaces HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"PUT /dpus/423 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ],
)
def test_who_sends_slowly_is_cut_off(strict, begun):
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        begin = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in begun + b"x" * 1000:
                connection.sendall(bytes([byte]))  # a byte now and then is no progress
                connection.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(4096):
                        break
        assert time.monotonic() - begin < 15


def test_connections_of_one_address_are_limited(strict):
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(contextlib.closing(strict.connect())) for _ in range(5)]
        for connection in others:
            connection.connect()
        wait_until(lambda: not is_served(strict), message="the sixth is refused")
    wait_until(lambda: is_served(strict), message="there is room again")


# Events by PUT


def test_events_by_put_are_stored_once(system):
    make_space(system, "put")
    token = system.add_token("ingest")
    event = {"dpu_event_time": "2020-01-01T12:00:00Z", "count": 2, "seq": 9}
    for body, accepted in ((event, 1), ([event, {**event, "seq": 10}], 2)):
        answer = system.request("PUT", "/dpus/put-dpu", body, token=token)
        assert (answer.status, answer.json()) == (202, {"accepted": accepted})
    wait_until(lambda: system.ask("/spaces/put")["count"] == 4)
    assert stored(system, "put") == 2


@pytest.mark.parametrize(
    "body, item, member",
    [
        (b"", None, None),
        (b"no JSON", None, None),
        (b"[]", None, None),
        (b"7", None, None),
        ({"count": 1}, None, "dpu_event_time"),
        ({"dpu_event_time": "then", "count": 1}, None, "dpu_event_time"),
        ({"dpu_event_time": "2020-01-01T12:00:00Z"}, None, "count"),
        ({"dpu_event_time": "2020-01-01T12:00:00Z", "count": 0}, None, "count"),
        ({"dpu_event_time": "2020-01-01T12:00:00Z", "count": "1"}, None, "count"),
        ([{"dpu_event_time": 0, "count": 1}, {"dpu_event_time": 0, "count": 101}], 1, "count"),
        ([{"dpu_event_time": 0, "count": 1}, 5], 1, None),
        ([{"dpu_event_time": 0, "count": 1, "seq": -1}], 0, "seq"),
        ([{"dpu_event_time": 0, "count": 1}] * 1001, None, None),
    ],
)
def test_events_that_are_none_are_refused_by_item_and_member(system, body, item, member):
    token = system.add_token("ingest")
    answer = system.request("PUT", "/dpus/423", body, token=token)
    assert answer.status == 400, answer.text
    problem = answer.json()
    assert (problem.get("item"), problem.get("member")) == (item, member), problem


def test_events_put_while_the_gateway_is_away_are_stored_once_when_it_is_back(broker, gateway, api):
    make_space(api, "A")
    token = api.add_token("ingest")
    gateway.stop()
    event = {"dpu_event_time": "2020-01-01T12:00:00Z", "count": 3}
    for _ in range(2):
        assert api.request("PUT", "/dpus/A-dpu", event, token=token).status == 202
    assert api.ask("/spaces/A")["count"] == 0, "answers go on"
    gateway.start()
    wait_until(lambda: api.ask("/spaces/A")["count"] == 3)
    assert stored(api, "A") == 1


def test_without_a_broker_events_are_not_taken(broker, gateway, api):
    make_space(api, "A")
    token = api.add_token("ingest")
    broker.stop()
    wait_until(lambda: api.get("/readyz").status == 503, message="it notices")
    answer = api.request("PUT", "/dpus/A-dpu", {"dpu_event_time": 0, "count": 1}, token=token)
    assert answer.status == 503
    assert api.ask("/spaces/A")["count"] == 0, "answers go on"
    broker.start()
    api.wait_connected()
    assert api.request("PUT", "/dpus/A-dpu", {"dpu_event_time": 0, "count": 1}, token=token).status == 202


# Changes of the registry


def test_a_change_is_seen_by_the_next_question(system):
    for n in range(10):
        name = f"seen-{n}"
        made = system.request("POST", "/spaces", {"id": name, "capacity": n + 1}, token=system.add_token("admin"))
        assert made.status == 201
        assert made.headers["Location"] == f"/spaces/{name}"
        assert system.ask(made.headers["Location"])["capacity"] == n + 1
        assert system.tell("PATCH", f"/spaces/{name}", {"capacity": None, "name": "N"})["capacity"] is None
        assert system.ask(f"/spaces/{name}")["name"] == "N"
        system.tell("DELETE", f"/spaces/{name}")
        assert system.get(f"/spaces/{name}").status == 404


def test_the_registry_in_its_whole_course(system):
    make_space(system, "course")
    system.tell("POST", "/doorways", {"id": "course-2", "space": "course"})
    walk(system, "course", ("2020-01-01T00:00:00Z", 2), ("2020-03-01T00:00:00Z", 5))
    assert system.ask("/spaces/course")["count"] == 7
    move = {"doorway": "course-2", "at": "2020-02-01T00:00:00Z", "orientation": -1}
    moved = system.tell("POST", "/dpus/course-dpu/move", move, status=200)
    assert (moved["doorway"], moved["orientation"]) == ("course-2", -1)
    assert system.ask(f"/installations/{moved['id']}") == moved
    system.tell("PATCH", f"/installations/{moved['id']}", {"orientation": 1})
    assert system.ask("/dpus/course-dpu")["doorway"] == "course-2"
    reset = {"count": 3, "at": "2020-02-15T00:00:00Z"}
    made = system.tell("POST", "/spaces/course/resets", reset)
    assert made == {"space": "course", "count": 3, "at": "2020-02-15T00:00:00.000Z"}
    assert system.ask("/spaces/course", time="2020-02-20 00:00")["count"] == 3
    system.tell("DELETE", "/spaces/course/resets/2020-02-15T00:00:00.000Z")
    assert system.ask("/spaces/course", time="2020-02-20 00:00")["count"] == 2
    system.tell("DELETE", f"/installations/{moved['id']}")
    system.tell("DELETE", "/doorways/course-2")
    conflict = system.request("DELETE", "/spaces/course", token=system.tokens["admin"])
    assert conflict.status == 409


@pytest.mark.parametrize(
    "method, path, body, status, member",
    [
        ("POST", "/spaces", {"id": "known"}, 409, "id"),
        ("POST", "/spaces", {}, 400, "id"),
        ("POST", "/spaces", {"id": "a b"}, 400, "id"),
        ("POST", "/spaces", {"id": "n1", "capacity": 0}, 400, "capacity"),
        ("POST", "/spaces", {"id": "n1", "timezone": "Mars/Olympus"}, 400, "timezone"),
        ("POST", "/spaces", {"id": "n1", "daily_reset": "24:00"}, 400, "daily_reset"),
        ("POST", "/spaces", {"id": "n1", "parent": "nowhere"}, 400, "parent"),
        ("POST", "/spaces", {"id": "n1", "colour": "red"}, 400, "colour"),
        ("POST", "/spaces", [], 400, None),
        ("POST", "/spaces", b"{", 400, None),
        ("POST", "/spaces", b"", 400, None),
        ("PATCH", "/spaces/nowhere", {"name": "?"}, 404, None),
        ("PATCH", "/spaces/known", {"parent": "known"}, 409, "parent"),
        ("POST", "/doorways", {"id": "n1", "space": "nowhere"}, 400, "space"),
        ("POST", "/installations", {"dpu": "x", "doorway": "y", "started_at": "then"}, 400, "started_at"),
        ("POST", "/spaces/known/resets", {"count": -1}, 400, "count"),
        ("POST", "/spaces/known/resets", {"count": 1, "at": "2999-01-01T00:00:00Z"}, 400, "at"),
        ("POST", "/spaces/nowhere/resets", {"count": 1}, 404, None),
        ("DELETE", "/spaces/nowhere", None, 404, None),
        ("DELETE", "/spaces/known/resets/2020-01-01T00:00:00Z", None, 404, None),
        ("DELETE", "/installations/999999", None, 404, None),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused_by_member(system, method, path, body, status, member):
    token = system.add_token("admin")
    system.request("POST", "/spaces", {"id": "known"}, token=token)
    answer = system.request(method, path, body, token=token)
    assert answer.status == status, answer.text
    if member:
        assert answer.json().get("member") == member


def test_a_change_while_the_gateway_is_away_is_not_made(broker, gateway, api):
    make_space(api, "A")
    gateway.stop()
    wait_until(lambda: api.get("/readyz").status == 503, message="it notices")
    for method, path, body in (
        ("POST", "/spaces", {"id": "B"}),
        ("PATCH", "/spaces/A", {"name": "Other"}),
        ("DELETE", "/dpus/A-dpu", None),
        ("POST", "/spaces/A/resets", {"count": 9}),
    ):
        begin = time.monotonic()
        answer = api.request(method, path, body, token=api.tokens["admin"])
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() - begin < 10
    gateway.start()
    api.wait_connected()
    api.tell("POST", "/spaces", {"id": "after"})  # in order with what might have waited in the broker
    assert api.get("/spaces/B").status == 404
    assert api.ask("/spaces/A")["name"] == ""
    assert api.ask("/spaces/A")["count"] == 0
    api.tell("POST", "/spaces", {"id": "B"})


# Who may do what


@pytest.fixture(scope="module")
def closed(system, tmp_path_factory):
    """A second api on the same data, which admits nobody without a token."""
    for name in ("mine", "theirs"):
        make_space(system, name)
        walk(system, name, ("2020-01-01T00:00:00Z", 1))
    folder = tmp_path_factory.mktemp("closed")
    with Api(system.gateway, folder, {"api": {"anonymous_read": False}}) as api:
        api.wait_connected()
        yield api


def test_without_a_token_nothing_is_answered(closed):
    for path in ("/spaces", "/spaces/mine", "/spaces/nowhere", "/live", "/dpus"):
        answer = closed.get(path)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert closed.get(path).status == 200


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", "Bearer x", "Basic dTpw", "bearer", "Bearer " + "A" * 5000, "Bearer \x7f"]
)
def test_what_is_no_token_is_not_let_in(closed, authorization):
    answer = closed.get("/spaces", headers={"Authorization": authorization})
    assert answer.status == 401


def test_each_scope_has_its_own(closed):
    tokens = {scope: closed.add_token(scope) for scope in ("read", "ingest", "admin")}
    event = {"dpu_event_time": "2020-01-01T00:00:00Z", "count": 1}
    allowed = {
        scope: (
            closed.get("/spaces/mine", token=token).status,
            closed.request("PUT", "/dpus/mine-dpu", event, token=token).status,
            closed.request("POST", "/spaces", {"id": f"by-{scope}"}, token=token).status,
            closed.get("/rejected-events", token=token).status,
        )
        for scope, token in tokens.items()
    }
    assert allowed["read"] == (200, 403, 403, 403)
    assert allowed["ingest"] == (403, 202, 403, 403)
    assert allowed["admin"][2:] == (201, 200)


def test_other_spaces_do_not_exist_for_a_token(closed):
    token = closed.add_token("read", "--space", "mine")
    assert closed.get("/spaces/mine", token=token).status == 200
    for path in ("", "/counts?start=2020-01-01", "/events", "?time=2020-06-01+00:00"):
        theirs = closed.request("GET", f"/spaces/theirs{path}", token=token)
        nowhere = closed.request("GET", f"/spaces/nowhere{path}", token=token)
        assert theirs.status == nowhere.status == 404
        assert theirs.text.replace("theirs", "nowhere") == nowhere.text
    seen = closed.get("/spaces", token=token).json()["items"]
    assert [space["id"] for space in seen] == ["mine"]
    assert closed.get("/live?space=theirs", token=token).status == 404
    for path, mine in (("/doorways", "mine-door"), ("/dpus", "mine-dpu")):
        listed = [item["id"] for item in closed.get(path, token=token).json()["items"]]
        assert "theirs" not in " ".join(listed)
        assert closed.get(f"{path}/{mine.replace('mine', 'theirs')}", token=token).status == 404


def test_a_token_ends(closed):
    soon = (datetime.now(timezone.utc) + timedelta(seconds=2)).isoformat(timespec="seconds")
    token = closed.add_token("read", "--expires", soon.replace("+00:00", "Z"))
    assert closed.get("/spaces/mine", token=token).status == 200
    wait_until(lambda: closed.get("/spaces/mine", token=token).status == 401, 20, "it has expired")
    token = closed.add_token("read")
    assert closed.get("/spaces/mine", token=token).status == 200
    name = next(name for name, known in closed.tokens.items() if known == token)
    Headcount(closed.config)("token", "remove", name)
    wait_until(lambda: closed.get("/spaces/mine", token=token).status == 401, 20, "it is removed")


def test_tokens_are_nowhere_to_be_read(closed):
    token = closed.add_token("read")
    closed.get("/spaces/mine", token=token)
    closed.get("/spaces/mine", token=token[:-1] + "!")
    assert token not in closed.log()
    assert token not in closed.token_file.read_text()
    assert closed.token_file.stat().st_mode & 0o007 == 0


# The server about itself


def test_ready_says_what_is_missing(broker, gateway, api):
    def failing():
        answer = api.get("/readyz")
        checks = {check["name"]: check["ok"] for check in answer.json()["checks"]}
        assert answer.status == (200 if all(checks.values()) else 503)
        return {name for name, ok in checks.items() if not ok}

    assert failing() == set()
    gateway.stop()
    wait_until(lambda: failing() == {"gateway"}, message="the gateway is missed")
    gateway.start()
    wait_until(lambda: failing() == set(), message="all is well")
    broker.stop()
    wait_until(lambda: "broker" in failing(), message="the broker is missed")
    assert api.ask("/healthz") == {"status": "ok"}
    broker.start()
    wait_until(lambda: failing() == set(), 60, "all is well")


def test_without_a_database_it_waits(broker, tmp_path):
    gateway = Gateway(broker, tmp_path)
    with Api(gateway, tmp_path) as api:
        assert api.get("/spaces").status == 503
        assert api.get("/healthz").status == 200
        answer = api.get("/readyz")
        assert answer.status == 503
        assert not {c["name"]: c["ok"] for c in answer.json()["checks"]}["database"]
        with gateway:
            api.wait_connected()
            assert api.ask("/spaces") == {"items": [], "next": None}


def promtool_says(text):
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    return result.stdout + result.stderr if result.returncode else ""


def samples(text):
    """{name with labels: value} of metrics in Prometheus text."""
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line and not line.startswith("#")
    }


def test_metrics_are_as_prometheus_wants_them(system, minute):
    system.get(minute)
    text = system.get("/metrics").text
    if shutil.which("promtool"):
        assert promtool_says(text) == ""
    before = samples(text)
    for _ in range(5):
        system.get(minute)
    system.get("/spaces/nowhere")
    after = samples(system.get("/metrics").text)
    grown = {name for name, value in after.items() if value - before.get(name, 0) >= 5}
    assert any("/spaces/{id}" in name and 'status="200"' in name for name in grown), grown
    assert not any("minute" in name for name in after), "no labels per space or device"


def test_the_contract_is_served(system):
    assert system.ask("/openapi.json") == contract.document("openapi.yaml")
