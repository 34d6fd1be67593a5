"""What comes in over HTTP: events by PUT, and changes of the registry, with the gateway there and away."""

import time

import pytest

from doors import make_space, stored, walk
from harness import Headcount, wait_until


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
        body = {"id": name, "capacity": n + 1}
        made = system.request("POST", "/spaces", body, token=system.add_token("admin"))
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


def test_a_move_that_is_refused_leaves_the_counts_as_they_were(system):
    """Its first half, the end of the old installation, has taken crossings away by then."""
    make_space(system, "from")
    make_space(system, "to")
    walk(system, "from", ("2020-01-01T08:00:00Z", 1), ("2020-01-01T09:00:00Z", 1))
    for way in ("2020-01-01T08:30:00Z", "2019-01-01T00:00:00Z"):
        move = {"doorway": "to-door", "at": way}
        system.tell("POST", "/dpus/from-dpu/move", move, status=409)
        assert system.ask("/spaces/from")["count"] == stored(system, "from")
        walk(system, "from", (f"2020-01-01T1{stored(system, 'from')}:00:00Z", 1))
        assert system.ask("/spaces/from")["count"] == stored(system, "from")
    assert "all in step" in Headcount(system.gateway.config)("check")
