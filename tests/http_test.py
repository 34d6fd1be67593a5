"""The HTTP side as HTTP has it: tags, methods, types, limits, compression; and what the server says about itself."""

import contextlib
import http.client
import json
import random
import shutil
import socket
import subprocess
import time

import pytest

import contract
from doors import instant, make_space, refused, text_of, walk
from harness import Answer, Api, Gateway, Publisher, wait_until

LIMIT_URL, LIMIT_HEADER, LIMIT_BODY = 8192, 16384, 65536


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
        late = instant("2020-01-01T00:00:00Z") + random.randrange(86_400_000)
        walk(system, "etag", (late, 1))
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


def test_a_tag_changes_when_an_installation_ends_as_planned(system):
    make_space(system, "planned")
    with Publisher(system.gateway.broker) as dpu:
        dpu.publish("dpu/planned-dpu/status", "online")
    wait_until(lambda: system.get("/spaces/planned").json()["health"] == "healthy", message="the device is online")
    installation = system.get("/installations?dpu=planned-dpu").json()["items"][0]["id"]
    system.tell("PATCH", f"/installations/{installation}", {"ended_at": text_of(int(time.time() * 1000) + 3000)})
    before = system.get("/spaces/planned")
    assert before.json()["health"] == "healthy"
    wait_until(lambda: system.get("/spaces/planned").json()["health"] != "healthy", message="the installation has ended")
    after = system.get("/spaces/planned", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    assert after.json()["revision"] == before.json()["revision"]


def test_how_long_an_answer_may_be_kept(system, minute):
    now = system.get(minute).headers["Cache-Control"]
    assert "no-cache" in now or "max-age=0" in now
    assert "max-age=" in system.get(minute, time="2018-02-26 18:00").headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    ["", "?time=2018-02-26+18:00", "?format=csv", "/counts?start=2018-02-26&end=2018-02-27", "/events"],
)
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
    [
        "/nowhere",
        "/spaces/",
        "/spaces/nowhere",
        "/spaces/a%2Fb",
        "/spaces/ü",
        "/spaces/" + "x" * 65,
        "/spaces//counts",
        "/spaces/nowhere/counts?start=2018-01-01",
        "/spaces/nowhere/events",
        "/dpus/nowhere",
        "/doorways/nowhere",
        "/installations/999999",
        "/installations/first",
        "/installations/99999999999999999999",
        "/spaces/A/B/C/D/E/F",
        "/spaces/..%2f",
        "/..",
    ],
)
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
