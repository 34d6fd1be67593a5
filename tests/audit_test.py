"""The audit: who has changed what, when and from where. Each command leaves a row, in the transaction of its change."""

import getpass
import json
import os
import socket
import time

import pytest

from doors import refused, text_of
from harness import Api, Gateway, Headcount, Publisher, wait_until

ADMIN = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def admin(system):
    """The token of an administrator, and its name."""
    token = system.add_token("admin")
    return token, next(name for name, known in system.tokens.items() if known == token)


def rows(api, admin, **parameters):
    answer = api.get("/audit", token=admin[0], **parameters)
    assert answer.status == 200, answer.text
    return answer.json()["items"]


def newest(api, admin):
    return rows(api, admin, limit=1)[0]


def said(row):
    """A row without its number and time; the details read."""
    details = json.loads(row["details"]) if row["details"] else None
    return {**row, "id": None, "time": None, "details": details}


def a_row(**members):
    return {"id": None, "time": None, **members}


def test_a_change_over_http_leaves_its_row(system, admin):
    before = int(time.time() * 1000)
    made = system.request("POST", "/spaces", {"id": "kept", "capacity": 3}, token=admin[0])
    assert made.status == 201
    row = newest(system, admin)
    assert said(row) == a_row(
        who=admin[1],
        **{"from": "127.0.0.1"},
        object="space",
        action="create",
        object_id="kept",
        details={"id": "kept", "capacity": 3},
        status=201,
    )
    assert text_of(before) <= row["time"] <= text_of(int(time.time() * 1000) + 1)


def test_every_kind_of_change_names_what_it_is_about(system, admin):
    changes = [
        ("POST", "/spaces", {"id": "kinds"}, ("space", "create", "kinds")),
        ("PATCH", "/spaces/kinds", {"name": "Kinds"}, ("space", "update", "kinds")),
        ("POST", "/doorways", {"id": "kinds-door", "space": "kinds"}, ("doorway", "create", "kinds-door")),
        ("POST", "/dpus", {"id": "kinds-dpu"}, ("dpu", "create", "kinds-dpu")),
        ("POST", "/spaces/kinds/resets", {"count": 4}, ("reset", "create", "kinds")),
        ("POST", "/rejected-events/replay", {"dpu": "nobody"}, ("rejected-event", "replay", None)),
        ("DELETE", "/rejected-events?dpu=nobody", None, ("rejected-event", "delete", None)),
        ("DELETE", "/dpus/kinds-dpu", None, ("dpu", "delete", "kinds-dpu")),
    ]
    for method, path, body, expected in changes:
        assert system.request(method, path, body, token=admin[0]).status < 300
        row = newest(system, admin)
        assert (row["object"], row["action"], row["object_id"]) == expected
    system.request("POST", "/dpus", {"id": "kinds-dpu"}, token=admin[0])
    hung = {"dpu": "kinds-dpu", "doorway": "kinds-door", "started_at": "2020-01-01T00:00:00Z"}
    number = system.request("POST", "/installations", hung, token=admin[0]).json()["id"]
    assert newest(system, admin)["object_id"] == str(number), "it got its number by being made"


@pytest.mark.parametrize(
    "method, path, body, status",
    [
        ("POST", "/spaces", {"id": "twice"}, 409),
        ("POST", "/doorways", {"id": "x", "space": "nowhere"}, 400),
        ("PATCH", "/spaces/nowhere", {"name": "x"}, 404),
    ],
)
def test_a_change_that_is_refused_leaves_its_row_and_nothing_else(system, admin, method, path, body, status):
    system.request("POST", "/spaces", {"id": "twice", "capacity": 7}, token=admin[0])
    before = system.pages("/spaces"), system.pages("/doorways")
    assert system.request(method, path, body, token=admin[0]).status == status
    assert newest(system, admin)["status"] == status
    unchanged = [[{**item, "as_of": None} for item in items] for items in before]
    after = system.pages("/spaces"), system.pages("/doorways")
    assert [[{**item, "as_of": None} for item in items] for items in after] == unchanged


def test_the_command_line_says_who_and_on_which_machine(system, admin, monkeypatch):
    Headcount(system.config)("space", "add", "by-hand")
    row = newest(system, admin)
    assert (row["who"], row["from"]) == (getpass.getuser(), f"command line on {socket.gethostname()}")
    assert (row["object_id"], row["status"]) == ("by-hand", 201)
    monkeypatch.setenv("SUDO_USER", "alice")
    Headcount(system.config)("space", "set", "by-hand", "--name", "Hand")
    who = "alice as root" if os.geteuid() == 0 else getpass.getuser()
    assert newest(system, admin)["who"] == who


def command(system, payload):
    """What the gateway makes of a message to registry/commands: the rows it adds."""
    last = system.gateway.value("SELECT coalesce(max(id), 0) FROM audit")
    with Publisher(system.gateway.broker) as somebody:
        somebody.publish("registry/commands", payload)
    return wait_until(
        lambda: system.gateway.query(
            "SELECT who, origin, object, action, object_id, details, status FROM audit WHERE id > ?", (last,)
        )
    )


@pytest.mark.parametrize(
    "payload, row",
    [
        (b"no json", ("", "", "", "", "", "", 400)),
        (b"[]", ("", "", "", "", "", "", 400)),
        ({"object": "space"}, ("", "", "space", "", "", "", 400)),
        ({"object": "house", "action": "burn", "id": 7, "who": "x", "from": "y"}, ("x", "y", "house", "burn", "", "", 400)),
        ({"object": "space", "action": "delete", "id": "nowhere", "who": 7}, ("", "", "space", "delete", "nowhere", "", 404)),
    ],
)  # fmt: skip
def test_what_a_sender_does_not_say_is_not_made_up(system, payload, row):
    assert command(system, payload) == [row]


def test_what_is_too_long_is_cut_between_characters(system, admin):
    values = {"id": "long", "name": "ä" * 600}
    who = "ß" * 300
    ((kept_who, _, _, _, _, details, status),) = command(
        system, {"who": who, "object": "space", "action": "create", "values": values}
    )
    assert status == 400
    assert kept_who == "ß" * 98 + "…"  # 196 bytes and 3 are the most of 200
    assert len(details.encode()) in (999, 1000)
    assert details.endswith("ä…")
    assert newest(system, admin)["details"] == details


def test_pages_go_from_the_newest_to_the_oldest(system, admin):
    for n in range(7):
        system.request("POST", "/spaces", {"id": f"paged-{n}"}, token=admin[0])
    whole = rows(system, admin, limit=1000)
    ids = [row["id"] for row in whole]
    assert ids == list(range(len(ids), 0, -1)), "none is missing"
    paged, cursor = [], {}
    while cursor is not None:
        page = system.get("/audit", token=admin[0], limit=3, **cursor)
        paged += page.json()["items"]
        cursor = {"cursor": page.json()["next"]} if page.json()["next"] else None
    assert paged == whole
    text = system.get("/audit", token=admin[0], limit=2, headers={"Accept": "text/csv"}).text
    assert text.splitlines()[0] == "id,time,who,from,object,action,object_id,details,status"


def test_a_span_of_time_is_start_up_to_end(system, admin):
    for n in range(3):
        system.request("POST", "/spaces", {"id": f"span-{n}"}, token=admin[0])
    last, middle, first = rows(system, admin, limit=3)
    assert [row["id"] for row in rows(system, admin, start=middle["time"])][-1] == middle["id"]
    assert last["time"] > first["time"]
    between = rows(system, admin, start=first["time"], end=last["time"])
    assert {row["id"] for row in between} == {
        row["id"] for row in (last, middle, first) if row["time"] < last["time"]
    }
    refused(system.get("/audit", token=admin[0], start=last["time"], end=first["time"]), "end")
    refused(system.get("/audit", token=admin[0], start="yesterday"), "start")


def test_only_administrators_of_everything_see_it(system, admin):
    assert system.get("/audit").status == 401
    assert system.get("/audit", token=system.add_token("read")).status == 403
    system.request("POST", "/spaces", {"id": "confined"}, token=admin[0])
    confined = system.add_token("admin", "--space", "confined")
    assert system.get("/audit", token=confined).json() == {"items": [], "next": None}
    assert system.request("PATCH", "/spaces/confined", {"name": "C"}, token=confined).status == 200
    assert newest(system, admin)["details"] == '{"name":"C"}'


def test_the_command_line_lists_it(system, admin):
    headcount = Headcount(system.config)
    headcount("space", "add", "listed")
    (row,) = headcount.json("audit", "--limit", "1")
    assert row == newest(system, admin)
    assert "listed" in headcount("audit", "--limit", "1")
    (below,) = headcount.json("audit", "--limit", "1", "--after", str(row["id"]))
    assert below["id"] == row["id"] - 1
    assert headcount.json("audit", "--from", row["time"])[-1]["id"] == row["id"]
    assert row["id"] not in [other["id"] for other in headcount.json("audit", "--until", row["time"], "--limit", "0")]
    assert headcount.run("audit", "--from", "soon").returncode == 2


def test_the_oldest_rows_go_and_are_counted(broker, tmp_path):
    settings = {"store": {"audit_max": 5}, "gateway": {"batch_items": 1}}
    with Gateway(broker, tmp_path, settings) as gateway, Api(gateway, tmp_path) as api:
        api.wait_connected()
        for n in range(8):
            api.tell("POST", "/spaces", {"id": f"s{n}"})
        assert gateway.query("SELECT id, object_id FROM audit ORDER BY id") == [(n + 1, f"s{n}") for n in range(3, 8)]
        token = api.tokens["admin"]
        page = api.get("/audit", token=token, limit=2).json()
        assert [row["id"] for row in page["items"]] == [8, 7]
        for n in range(5):
            api.tell("DELETE", f"/spaces/s{n}")
        # What the page was to go on with is gone by now, and what is behind it, too.
        assert api.get("/audit", token=token, cursor=page["next"]).json() == {"items": [], "next": None}


def test_a_change_that_is_not_stored_leaves_no_row(broker, tmp_path):
    """The row and the change are one transaction: a gateway that dies has both or neither."""
    with Gateway(broker, tmp_path) as gateway, Api(gateway, tmp_path) as api:
        api.wait_connected()
        with Publisher(broker) as somebody:
            for n in range(300):
                order = {"object": "space", "action": "create", "values": {"id": f"s{n}"}}
                somebody.send("registry/commands", order)
            wait_until(lambda: gateway.value("SELECT count(*) FROM audit") > 0, message="it has begun")
            gateway.kill()
            somebody.flush()
        spaces = gateway.query("SELECT space_id FROM space ORDER BY id")
        assert gateway.query("SELECT object_id FROM audit WHERE status = 201 ORDER BY id") == spaces
        gateway.start()
        wait_until(lambda: gateway.value("SELECT count(*) FROM space") == 300, 60, "the rest is done")
        assert gateway.value("SELECT count(*) FROM audit WHERE status = 201") == 300
