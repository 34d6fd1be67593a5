"""Who may do what over HTTP: tokens, their scopes and spaces, and their end."""

import fcntl
import os
from datetime import datetime, timedelta, timezone

import pytest

from doors import make_space, walk
from harness import Api, Headcount, Subscriber, wait_until


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
    "authorization",
    ["Bearer", "Bearer ", "Bearer x", "Basic dTpw", "bearer", "Bearer " + "A" * 5000, "Bearer \x7f"],
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


def test_a_token_for_a_space_ingests_for_the_dpus_there_and_no_others(closed):
    token = closed.add_token("ingest", "--space", "mine")
    event = {"dpu_event_time": "2020-01-02T00:00:00Z", "count": 1}
    assert closed.request("PUT", "/dpus/mine-dpu", event, token=token).status == 202
    theirs = closed.request("PUT", "/dpus/theirs-dpu", event, token=token)
    nowhere = closed.request("PUT", "/dpus/nowhere-dpu", event, token=token)
    assert theirs.status == nowhere.status == 404
    assert theirs.text.replace("theirs", "nowhere") == nowhere.text


@pytest.mark.parametrize("name", ["%2B", "%23", "423%2Fstatus", "..%2F..%2Fregistry%2Fcommands", "a%00b"])
def test_a_path_leads_to_no_other_topic(closed, name):
    event = {"dpu_event_time": "2020-01-02T00:00:00Z", "count": 1}
    with Subscriber(closed.gateway.broker, "dpu/#", "registry/#") as everything:
        answer = closed.request("PUT", f"/dpus/{name}", event, token=closed.add_token("ingest"))
        everything.settle()
        assert answer.status in (400, 404)
        assert everything.live() == []


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


def test_a_token_that_is_removed_does_not_come_back_with_another_s_change(closed):
    """Two who change the file at a time: the one who read it first would write the other's change away."""
    headcount = Headcount(closed.config)
    closed.add_token("read")
    before = closed.token_file.read_bytes()
    folder = os.open(closed.token_file.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        for command in (("add", "late", "--scope", "read"), ("remove", next(iter(closed.tokens)))):
            result = headcount.run("token", *command)
            assert result.returncode == 1 and "somebody else" in result.stderr
    finally:
        os.close(folder)
    assert closed.token_file.read_bytes() == before
    headcount("token", "add", "late", "--scope", "read")
    headcount("token", "remove", "late")


def test_tokens_are_nowhere_to_be_read(closed):
    token = closed.add_token("read")
    closed.get("/spaces/mine", token=token)
    closed.get("/spaces/mine", token=token[:-1] + "!")
    assert token not in closed.log()
    assert token not in closed.token_file.read_text()
    assert closed.token_file.stat().st_mode & 0o007 == 0
