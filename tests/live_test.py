"""GET /live: Server-Sent Events of what changes, read from a plain socket."""

import contextlib
import itertools
import json
import socket
import time

import pytest

import contract
from harness import Api, Broker, Gateway, Publisher, wait_until

STREAMS = 1000


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder = tmp_path_factory.mktemp("system")
    with Broker(folder) as broker, Gateway(broker, folder, {"gateway": {"publish_interval_ms": 0}}) as gateway:
        with Api(gateway, folder, {"api": {"connections_per_address": 2 * STREAMS}}) as api:
            api.wait_connected()
            for name in ("A", "B", "C"):
                api.tell("POST", "/spaces", {"id": name})
                api.tell("POST", "/doorways", {"id": name, "space": name})
                api.tell("POST", "/dpus", {"id": name})
                hung = {"dpu": name, "doorway": name, "started_at": "2018-01-01T00:00:00Z"}
                api.tell("POST", "/installations", hung)
            yield api


class Stream:
    """One stream; events are (id, name, data)."""

    def __init__(self, api, query="", last_id=None, token=None, buffer=None):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", api.port))
        if api.trust:
            self.socket = api.trust.wrap_socket(self.socket, server_hostname="localhost")
        head = f"GET /live{query} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
        if last_id is not None:
            head += f"Last-Event-ID: {last_id}\r\n"
        if token:
            head += f"Authorization: Bearer {token}\r\n"
        self.socket.sendall(head.encode() + b"\r\n")
        self.bytes = b""
        self.fields = []
        self.comments = 0
        self.head = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def fill(self):
        """Receives more; false when the server has ended the stream."""
        received = self.socket.recv(65536)
        self.bytes += received
        return received != b""

    def begin(self):
        while b"\r\n\r\n" not in self.bytes:
            assert self.fill()
        head, _, self.bytes = self.bytes.partition(b"\r\n\r\n")
        self.head = head.decode().lower()
        assert self.head.startswith("http/1.1 200"), self.head
        assert "content-type: text/event-stream" in self.head
        assert "cache-control: no" in self.head
        self.is_chunked = "transfer-encoding: chunked" in self.head
        self.body = b""
        return self

    def unchunk(self):
        if not self.is_chunked:
            self.body, self.bytes = self.body + self.bytes, b""
        while self.is_chunked and b"\r\n" in self.bytes:
            size, _, rest = self.bytes.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                return
            self.body += rest[:length]
            self.bytes = rest[length + 2 :]

    def next(self):
        """The next event; None when the stream has ended."""
        if self.head is None:
            self.begin()
        while True:
            self.unchunk()
            block, end, rest = self.body.partition(b"\n\n")
            if end:
                self.body = rest
                event = self.event_of(block.decode())
                if event:
                    return event
            elif not self.fill():
                return None

    def event_of(self, block):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        self.comments += block.startswith(":")
        if "data" not in fields:
            return None
        data = json.loads(fields["data"])
        if fields["event"] == "state":
            contract.check_schema("State", fields["data"])
        else:
            assert fields["event"] == "removed" and set(data) == {"id", "revision"}
        assert int(fields["id"]) == data["revision"]
        return int(fields["id"]), fields["event"], data

    def until(self, condition):
        """The events up to the first for whose (name, data) the condition holds."""
        events = []
        while True:
            event = self.next()
            assert event is not None, "the stream has ended"
            events.append(event)
            if condition(*event[1:]):
                return events


numbers = itertools.count(1)


def walk(api, *names, count=1):
    """So many people enter each of the spaces, at once; the count of the last then."""
    name = names[-1]
    before = api.ask(f"/spaces/{name}")["count"]
    with Publisher(api.gateway.broker) as dpu:
        for dpu_id in names:
            events = [
                {"dpu_event_time": "2020-01-01T00:00:00Z", "count": 1, "seq": next(numbers)}
                for _ in range(count)
            ]
            dpu.send(f"dpu/{dpu_id}/events", events)
        dpu.flush()
    wait_until(lambda: api.ask(f"/spaces/{name}")["count"] == before + count)
    return before + count


def is_count(name, count):
    return lambda kind, data: kind == "state" and data["id"] == name and data["count"] == count


def test_a_stream_begins_with_the_present_and_goes_on_with_what_changes(system):
    with Stream(system) as stream:
        first = {}
        while set(first) < {"A", "B", "C"}:
            _, name, data = stream.next()
            first[data["id"]] = data
        assert first["A"]["count"] == system.ask("/spaces/A")["count"]
        for _ in range(3):
            count = walk(system, "A")
            (*_, (_, _, data)) = stream.until(is_count("A", count))
        assert data["revision"] == system.ask("/spaces/A")["revision"]


def test_a_change_comes_at_once(system):
    with Stream(system, "?space=B") as stream:
        stream.next()
        count = walk(system, "B")
        begin = time.monotonic()
        stream.until(is_count("B", count))
        assert time.monotonic() - begin < 2


def test_only_the_spaces_asked_for(system):
    with Stream(system, "?space=A,B") as stream:
        assert {stream.next()[2]["id"], stream.next()[2]["id"]} == {"A", "B"}
        walk(system, "C")
        for _ in range(5):
            count = walk(system, "C", "B")
            events = stream.until(is_count("B", count))
            assert {data["id"] for _, _, data in events} == {"B"}


@pytest.mark.parametrize(
    "target, status",
    [
        ("/live?space=", 400),
        ("/live?space=A,,B", 400),
        ("/live?space=a%20b", 400),
        ("/live?space=" + ",".join(f"s{n}" for n in range(101)), 400),
        ("/live?space=nowhere", 404),
        ("/live?space=A,nowhere", 404),
    ],
)
def test_a_stream_of_what_is_not_there_is_refused(system, target, status):
    assert system.request("GET", target).status == status


@pytest.mark.parametrize("last_id", ["first", "-1", "1.5", "99999999999999999999"])
def test_an_event_id_that_is_none_is_refused(system, last_id):
    answer = system.request("GET", "/live", headers={"Last-Event-ID": last_id})
    assert answer.status == 400
    assert answer.json()["parameter"] == "Last-Event-ID"


def test_who_comes_back_gets_what_was_missed_and_no_more(system):
    with Stream(system) as stream:
        count = walk(system, "A")
        *_, (last_id, _, _) = stream.until(is_count("A", count))
    missed = walk(system, "B")
    with Stream(system, last_id=last_id) as stream:
        events = stream.until(is_count("B", missed))
        assert {data["id"] for _, _, data in events} == {"B"}
        assert all(number > last_id for number, _, _ in events)
        count = walk(system, "A")
        stream.until(is_count("A", count))


def test_who_followed_another_database_gets_everything(system):
    with Stream(system, last_id=10**15) as stream:
        seen = set()
        while seen < {"A", "B", "C"}:
            seen.add(stream.next()[2]["id"])


def test_ids_rise_and_every_space_ends_right(system):
    counts = {}
    with Stream(system) as stream:
        for _ in range(5):
            for name in ("A", "B", "C"):
                counts[name] = walk(system, name, count=3)
        end = {}
        last = 0
        while end != counts:
            number, _, data = stream.next()
            assert number > last
            last = number
            end[data["id"]] = data["count"]
            end = {name: end[name] for name in end if name in counts}


def test_a_space_that_is_removed_says_so(system):
    with Stream(system) as stream:
        system.tell("POST", "/spaces", {"id": "brief"})
        stream.until(lambda kind, data: data["id"] == "brief")
        system.tell("DELETE", "/spaces/brief")
        *_, (_, kind, _) = stream.until(lambda kind, data: data["id"] == "brief")
        assert kind == "removed"


def test_silence_is_broken_by_a_comment(system):
    with Stream(system, "?space=C") as stream:
        stream.next()
        stream.socket.settimeout(40)
        begin = time.monotonic()
        while stream.comments == 0:
            assert stream.fill()
            stream.unchunk()
            while b"\n\n" in stream.body:
                block, _, stream.body = stream.body.partition(b"\n\n")
                stream.event_of(block.decode())
        assert 5 < time.monotonic() - begin < 30


def test_a_token_hears_of_its_own_spaces_only(system, tmp_path):
    with Api(system.gateway, tmp_path, {"api": {"anonymous_read": False}}) as api:
        api.wait_connected()
        token = api.add_token("read", "--space", "B")
        with Stream(api, token=token) as stream:
            assert stream.next()[2]["id"] == "B"
            for _ in range(5):
                count = walk(system, "A", "B")
                events = stream.until(is_count("B", count))
                assert {data["id"] for _, _, data in events} == {"B"}


def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def test_a_client_that_does_not_read_costs_nothing_and_nobody(system):
    """Its socket fills; the others hear on, memory stays, and it is cut off, or catches up when it reads at last."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Stream(system, buffer=4096)) for _ in range(20)]
        quick = stack.enter_context(Stream(system))
        count = walk(system, "A")
        quick.until(is_count("A", count))
        before = resident_bytes(system.pid)
        for _ in range(60):
            count = walk(system, "A", count=5)
        quick.until(is_count("A", count))
        assert resident_bytes(system.pid) - before < 16 * 2**20
        with contextlib.suppress(AssertionError, ConnectionError):
            slow[0].until(is_count("A", count))  # or it was cut off
        assert system.ask("/spaces/A")["count"] == count


def test_a_thousand_streams_at_once(system):
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Stream(system, "?space=C")) for _ in range(STREAMS)]
        for stream in streams:
            stream.next()
        count = walk(system, "C")
        for stream in streams:
            stream.until(is_count("C", count))
        assert system.ask("/spaces/C")["count"] == count
    wait_until(lambda: system.ask("/healthz"), message="it lives")


def test_streams_end_when_the_server_does(system, tmp_path):
    api = Api(system.gateway, tmp_path)
    api.start()
    with Stream(api) as stream:
        stream.next()
        begin = time.monotonic()
        api.stop()
        assert time.monotonic() - begin < 10
        with contextlib.suppress(ConnectionError):
            while stream.next():
                pass


def test_a_stream_goes_on_while_the_gateway_is_exchanged(system):
    with Stream(system) as stream:
        system.gateway.stop()
        system.gateway.start()
        count = walk(system, "A")
        stream.until(is_count("A", count))
