"""The gateway among the rest of the system: what it says when, and what it does when others are not there."""

import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import uuid

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from harness import (
    Broker,
    Gateway,
    Publisher,
    Subscriber,
    bin_dir,
    retained_topics,
    wait_until,
)
from loader import length, text

TIME = "2026-11-23T08:15:30.125Z"


class Commands:
    """Sends registry commands without waiting for their answers; they are carried out in order."""

    def __init__(self, broker):
        self.publisher = Publisher(broker)

    def __call__(self, action, kind, identity=None, **values):
        command = {"action": action, "object": kind, "values": values}
        if identity:
            command["id"] = identity
        self.publisher.publish("registry/commands", command)

    def __enter__(self):
        self.publisher.open()
        return self

    def __exit__(self, *_):
        self.publisher.close()


def make_doorway(broker, space="A", dpu="423"):
    with Commands(broker) as command:
        command("create", "space", id=space, timezone="Europe/Berlin")
        command("create", "doorway", id=f"door-{dpu}", space=space)
        command("create", "dpu", id=dpu)
        command("create", "installation", dpu=dpu, doorway=f"door-{dpu}", orientation=1,
                started_at="2018-01-01T00:00:00Z")


class BusyBroker:
    """Has much to send and reads nothing before that is done; what it can't send ends the connection, as in mosquitto."""

    running = True

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def hear_out(self):
        """What one connection has said by its end; nothing if it could not be written to until then."""
        crossing = text("dpu/423/events") + b"\x00{}"
        connection, _ = self.listener.accept()
        end = select.poll()
        end.register(connection, select.POLLRDHUP)
        with connection, contextlib.suppress(ConnectionError):
            connection.recv(65536)
            connection.sendall(b"\x20\x03\x01\x00\x00")  # CONNACK: I know your session, come in
            while not end.poll(10):
                connection.sendall(b"\x30" + length(len(crossing)) + crossing)
            connection.sendall(b"\xd0\x00")  # PINGRESP
            return b"".join(iter(lambda: connection.recv(65536), b""))
        return b""


def crossing(broker, dpu="423", **members):
    with Publisher(broker) as device:
        device.publish(f"dpu/{dpu}/events", {"dpu_event_time": TIME, "count": 1, **members})


def wait_for_count(broker, space, count):
    topic = f"space/{space}/count"
    wait_until(lambda: retained_topics(broker, topic) == {topic: str(count)}, message=f"{topic} {count}")


def status(gateway):
    return retained_topics(gateway.broker, gateway.status_topic).get(gateway.status_topic)


def run_gateway(*arguments, **environment):
    return subprocess.run(
        [bin_dir() / "headcount-gateway", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


# What it says of itself


def test_status_is_offline_after_a_stop_and_after_a_kill(broker, gateway):
    assert status(gateway) == "online"
    gateway.stop()
    assert status(gateway) == "offline"
    gateway.start()
    gateway.kill()
    wait_until(lambda: status(gateway) == "offline", message="the last will")


def test_health_counts_what_was_committed(broker, gateway):
    make_doorway(broker)
    crossing(broker)
    crossing(broker)
    crossing(broker, dpu="stranger")
    with Publisher(broker) as device:
        device.publish("dpu/423/events", "no JSON")
    wait_for_count(broker, "A", 1)
    broker.restart()  # a new connection says how it is at once
    topic = f"gateway/{gateway.client_id}/health"

    def health():
        text = retained_topics(broker, topic).get(topic)
        return text and json.loads(text)

    said = wait_until(lambda: (health() or {}).get("messages") == 8 and health(), message="8 messages")
    assert said["events_stored"] == 1
    assert said["duplicates"] == 1
    assert {reason: n for reason, n in said["rejected"].items() if n} == {
        "unknown_dpu": 1,
        "malformed": 1,
    }
    assert said["commands"] == 4
    assert 1 <= said["batches"] <= 8
    assert said["last_error"]["detail"].startswith("broker: ")


# Publishing


def test_a_broker_that_forgot_everything_is_told_again(tmp_path):
    with Broker(tmp_path, replace={"persistence": "false"}) as broker, Gateway(broker, tmp_path):
        make_doorway(broker)
        crossing(broker)
        wait_for_count(broker, "A", 1)
        broker.restart()
        wait_for_count(broker, "A", 1)
        crossing(broker, seq=2)
        wait_for_count(broker, "A", 2)


def test_many_changes_of_a_space_are_published_once_an_interval(broker, tmp_path):
    settings = {"gateway": {"publish_interval_ms": 600_000}}
    with Gateway(broker, tmp_path, settings) as gateway:
        make_doorway(broker)
        wait_for_count(broker, "A", 0)
        with Subscriber(broker, "space/A/count") as display:
            for seq in range(20):
                crossing(broker, seq=seq)
            wait_until(
                lambda: gateway.value("SELECT count(*) FROM installation_count") == 20,
                message="20 events are stored",
            )
            display.settle()
            assert display.live() == []
            gateway.stop()  # says what is left to say
            wait_until(lambda: display.live() == ["20"], message="the last count")


def test_a_removed_space_is_cleared_from_the_broker(broker, gateway):
    with Commands(broker) as command:
        command("create", "space", id="A", timezone="UTC")
        wait_for_count(broker, "A", 0)
        command("delete", "space", "A")
        wait_until(lambda: retained_topics(broker, "space/#") == {}, message="nothing is retained")


@contextlib.contextmanager
def confirmed_device(broker, tmp_path):
    """A device whose events are confirmed: sends a payload, and gives back what is said of it."""
    settings = {"gateway": {"confirm_stored": True}}
    with Gateway(broker, tmp_path, settings), Subscriber(broker, "dpu/423/stored") as device:
        make_doorway(broker)
        with Publisher(broker) as publisher:

            def send(payload):
                before = len(device.live())
                publisher.publish("dpu/423/events", payload)
                return json.loads(wait_until(lambda: device.live()[before:], message="a confirmation")[0])

            yield send
        assert retained_topics(broker, "dpu/423/stored") == {}


def test_each_event_is_confirmed_once_it_is_stored(broker, tmp_path):
    newer = {"dpu_event_time": "2026-11-23T09:00:00.000Z", "seq": 1, "count": 1}
    older = {"dpu_event_time": "2026-11-23T08:00:00.000Z", "seq": 0, "count": -1}
    with confirmed_device(broker, tmp_path) as send:
        assert send(newer) == [newer]
        assert send([older, newer]) == [older, newer]  # late; and stored before


def test_what_is_rejected_is_confirmed_too(broker, tmp_path):
    ahead = {"dpu_event_time": "9000-01-01T00:00:00.000Z", "seq": 0, "count": 1}
    known = {"dpu_event_time": TIME, "seq": 0, "count": 1}
    unread = '{"dpu_event_time": "then", "count": 1}'
    unread_digest = hashlib.sha256(unread.encode()).hexdigest()
    with confirmed_device(broker, tmp_path) as send:
        assert send(f"[{unread}, {json.dumps(ahead)}, {json.dumps(known)}]") == [
            {**ahead, "rejected": "clock_ahead"},
            known,
            {"sha256": unread_digest, "rejected": "invalid_time"},
        ]
        assert send("no JSON") == [
            {"sha256": hashlib.sha256(b"no JSON").hexdigest(), "rejected": "malformed"}
        ]


# Others that are not there


def test_a_command_that_the_broker_retains_is_carried_out_once(broker, gateway):
    make_doorway(broker)
    reset = {"action": "create", "object": "reset", "values": {"space": "A", "count": 5}}
    with Publisher(broker) as operator:
        operator.publish("registry/commands", reset, retain=True)
    wait_until(lambda: gateway.value("SELECT count(*) FROM space_reset") == 1, 20, "the reset")
    gateway.stop()
    gateway.start()
    with Commands(broker) as command:
        command("create", "space", id="later", timezone="UTC")
    wait_until(
        lambda: gateway.value("SELECT count(*) FROM space WHERE space_id = 'later'") == 1,
        20,
        "what came after it",
    )
    assert gateway.value("SELECT count(*) FROM space_reset") == 1


@pytest.mark.parametrize("topic", ["space/A/count", "gateway/headcount-gateway/status", "registry/commands"])
def test_answers_go_where_answers_belong_and_nowhere_else(topic, broker, gateway):
    """A sender must not have the gateway say what he may not say himself."""
    order = {"action": "create", "object": "dpu", "values": {"id": "423"}}
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = topic
    with Subscriber(broker, topic) as victim, Commands(broker) as command:
        sender = mqtt.Client("sender", protocol=mqtt.MQTTv5)
        sender.connect("127.0.0.1", broker.port)
        sender.loop_start()
        sender.publish("registry/commands", json.dumps(order), 1, properties=properties).wait_for_publish(20)
        sender.disconnect()
        sender.loop_stop()
        wait_until(lambda: gateway.value("SELECT count(*) FROM dpu") == 1, 20, "it is carried out")
        command("create", "dpu", id="283")
        wait_until(lambda: gateway.value("SELECT count(*) FROM dpu") == 2, 20, "what came after it")
        victim.settle()
        assert not [said for said in victim.live() if '"status"' in said]


def test_waits_for_a_broker_that_is_down(tmp_path):
    broker = Broker(tmp_path)
    gateway = Gateway(broker, tmp_path)
    try:
        gateway.spawn()
        gateway.wait_for(lambda: "Connection refused" in gateway.log(), 30, "it says what is missing")
        broker.start()
        gateway.wait_ready()
        make_doorway(broker)
        crossing(broker)
        wait_for_count(broker, "A", 1)
        assert gateway.log().count("Connection refused") == 1  # once, however often it tried
    finally:
        gateway.stop()
        broker.stop()


def test_ends_while_the_broker_is_down(tmp_path):
    gateway = Gateway(Broker(tmp_path), tmp_path)
    gateway.spawn()
    gateway.wait_for(lambda: "Connection refused" in gateway.log(), 30, "it says what is missing")
    gateway.stop()


def test_what_came_while_it_was_away_is_stored_when_it_is_back(broker, gateway):
    make_doorway(broker)
    wait_for_count(broker, "A", 0)
    gateway.stop()
    for seq in range(5):
        crossing(broker, seq=seq)
    gateway.start()
    wait_for_count(broker, "A", 5)


def test_what_a_restarted_broker_takes_before_it_is_back_is_stored(broker, gateway):
    make_doorway(broker)
    wait_for_count(broker, "A", 0)
    gateway.stop()
    broker.restart()
    for seq in range(5):
        crossing(broker, seq=seq)
    gateway.start()
    wait_for_count(broker, "A", 5)


def test_what_a_broker_sent_before_it_was_killed_is_stored(broker, tmp_path):
    with Gateway(broker, tmp_path, {"gateway": {"batch_items": 50}}) as gateway:
        make_doorway(broker)
        wait_for_count(broker, "A", 0)
        gateway.signal(signal.SIGSTOP)
        with Publisher(broker) as device:
            for seq in range(100):
                device.publish("dpu/423/events", {"dpu_event_time": TIME, "count": 1, "seq": seq})
        broker.kill()
        gateway.signal(signal.SIGCONT)
        wait_until(
            lambda: gateway.value("SELECT count(*) FROM installation_count") == 100,
            message="the events that had arrived are stored",
        )
        broker.start()
        gateway.wait_ready()


def test_a_session_that_another_takes_is_taken_back(broker, gateway):
    make_doorway(broker)
    wait_for_count(broker, "A", 0)
    with Subscriber(broker, gateway.status_topic) as watcher:
        with Subscriber(broker, "nothing", client_id=gateway.client_id):
            pass
        wait_until(lambda: watcher.live()[-1:] == ["online"], message="the gateway is back")
    crossing(broker)
    wait_for_count(broker, "A", 1)


# Beginning and ending


def test_a_newer_database_is_left_alone(broker, gateway):
    gateway.stop()
    with contextlib.closing(sqlite3.connect(gateway.database)) as database:
        database.execute("PRAGMA user_version = 999")
    ended = run_gateway("--config", gateway.config)
    assert ended.returncode == os.EX_DATAERR
    assert "newer program" in ended.stderr
    with contextlib.closing(sqlite3.connect(gateway.database)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (999,)


@pytest.fixture
def configuration(tmp_path):
    def write(text):
        path = tmp_path / f"{uuid.uuid4()}.conf"
        path.write_text(f"[store]\ndatabase={tmp_path}/headcount.db\n{text}")
        return path

    return write


def test_check_config_says_ok(configuration, tmp_path):
    ended = run_gateway("--config", configuration(""), "--check-config")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "configuration: ok\n", "")
    ended = run_gateway("--check-config", HEADCOUNT_CONFIG=str(configuration("")))
    assert ended.returncode == 0
    assert not (tmp_path / "headcount.db").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[broker]\nprot=1\n", "did you mean port"),
        ("[broker]\npassword_file=/nowhere\n", "/nowhere"),
        ("[broker]\nca_file=/nowhere\n", "/nowhere"),
        ("[gateway]\nbatch_items=0\n", "from 1 to"),
    ],
)
def test_check_config_says_what_is_wrong(configuration, text, says):
    path = configuration(text)
    for arguments in (("--check-config",), ()):
        ended = run_gateway("--config", path, *arguments)
        assert ended.returncode == os.EX_CONFIG
        assert ended.stdout == ""
        assert says in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_the_printed_configuration_is_complete_and_right(tmp_path):
    printed = run_gateway("--print-config")
    assert printed.returncode == 0
    path = tmp_path / "printed.conf"
    path.write_text(printed.stdout.replace("/var/lib/headcount", str(tmp_path)))
    assert run_gateway("--config", path, "--check-config").returncode == 0


def test_options_are_explained_and_checked():
    assert "--check-config" in run_gateway("--help").stdout
    assert run_gateway("--version").stdout.startswith("headcount-gateway ")
    for wrong in ("--nonsense", "argument"):
        ended = run_gateway(wrong)
        assert ended.returncode == os.EX_USAGE
        assert "--help" in ended.stderr


def test_sighup_changes_what_is_logged(broker, gateway):
    make_doorway(broker)
    gateway.wait_for(lambda: "stored" in gateway.log(), 30, "a line at level debug")
    gateway.configure({"log": {"level": "error"}})
    gateway.signal(signal.SIGHUP)
    gateway.wait_for(lambda: "is read again" in gateway.log(), 30, "it says so")
    lines = gateway.log().count("\n")
    crossing(broker)
    wait_for_count(broker, "A", 1)
    assert gateway.log().count("\n") == lines
    gateway.config.write_text("[log]\nlevel=loud\n")
    gateway.signal(signal.SIGHUP)
    gateway.wait_for(lambda: "nothing is changed" in gateway.log(), 30, "it says what is wrong")


def test_a_busy_broker_hears_of_our_trouble_before_the_connection_ends(tmp_path):
    broker = BusyBroker()
    gateway = Gateway(broker, tmp_path)
    with contextlib.ExitStack() as stack:
        stack.callback(broker.listener.close)
        stack.callback(gateway.kill)
        gateway.spawn()
        broker.listener.settimeout(30)
        broker.listener.accept()[0].close()  # it has opened its database
        other = stack.enter_context(contextlib.closing(sqlite3.connect(gateway.database, isolation_level=None)))
        other.execute("BEGIN IMMEDIATE")
        heard = (broker.hear_out() for _ in range(6))
        assert any(b"/health" in words and b"database is locked" in words for words in heard), gateway.log()
