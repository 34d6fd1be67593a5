"""What the daemons log: nothing secret, nothing that fills a disk, and JSON that programs can read."""

import contextlib
import json
import socket
import subprocess

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes

from harness import Api, Broker, Client, Gateway, Headcount, Publisher, payload_bytes, wait_until

PASSWORD = "correct-horse-battery-staple"
PAYLOAD_SECRET = "tell-nobody-of-this"
LINES = 60  # of a daemon that was attacked: ten of a place, and its beginning and end


@pytest.fixture
def guarded(tmp_path):
    """A system that knows a password and tokens, and logs all it can, as JSON."""
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    passwords.touch(mode=0o600)
    for user in ("headcount-gateway", "headcount-api"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, user, PASSWORD], check=True)
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o400)

    def settings(user, **more):
        access = {"username": user, "password_file": secret}
        return {"broker": access, "log": {"level": "debug", "format": "json"}, **more}

    closed = {"anonymous_read": False}
    with Broker(tmp_path, settings=[f"password_file {passwords}"]) as broker:
        with Gateway(broker, tmp_path, settings("headcount-gateway")) as gateway:
            with Api(gateway, tmp_path, settings("headcount-api", api=closed)) as api:
                api.wait_connected()
                yield api


@pytest.fixture
def closed(gateway, tmp_path):
    with Api(gateway, tmp_path, {"api": {"anonymous_read": False}}) as running:
        running.wait_connected()
        yield running


def raw(api, data):
    """Sends bytes that no client library would."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(65536):
                pass


class Requester(Client):
    """Sends registry commands whose answers go where it likes (MQTT 5)."""

    def __init__(self, broker):
        super().__init__(broker)
        self.client = mqtt.Client(self.client_id, protocol=mqtt.MQTTv5)
        self.client.max_inflight_messages_set(1000)
        self.client.on_connect = lambda client, userdata, flags, code, properties: self.on_connect(
            client, userdata, flags, 0 if code == 0 else 1
        )

    def send(self, topic, payload):
        properties = mqtt.Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = topic
        return self.client.publish(
            "registry/commands", payload_bytes(payload), qos=1, properties=properties
        )


def stored(gateway, reason):
    return gateway.value("SELECT count(*) FROM rejected_event WHERE reason = ?", (reason,))


# Secrets


def test_no_secret_is_in_any_log_at_any_level(guarded):
    api, gateway = guarded, guarded.gateway
    token = api.add_token("admin")
    near = token[:-1] + ("a" if token[-1] != "a" else "b")
    for text in (token, near):
        headers = {"Authorization": f"Bearer {text}"}
        for target in (f"/spaces?token={text}", f"/spaces/{text}", f"/display/A?{text}", "/spaces?time=never"):
            api.request("GET", target, headers=headers, checked=False)
            api.request("GET", target, headers={"Cookie": f"headcount_token={text}"}, checked=False)
        api.request("POST", "/session", {"token": text}, checked=False)
        api.request("PUT", "/dpus/423", {"secret": PAYLOAD_SECRET}, headers, checked=False)
        for line in ("GET /spaces HTTP/9.9", "GET  /a b HTTP/1.1", "nonsense", f"GET /{text} HTTP/1.1"):
            head = f"{line}\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer {text}\r\n : {text}\r\n\r\n"
            raw(api, head.encode())
    with Publisher(gateway.broker) as device:
        device.publish("dpu/423/events", {"dpu_event_time": PAYLOAD_SECRET, "count": 1})
        device.publish("dpu/423/events", PAYLOAD_SECRET)
    wait_until(lambda: stored(gateway, "malformed") == 1, message="the payload is rejected")
    api.stop()
    gateway.stop()
    assert '"subject":"libmicrohttpd"' in api.log(), "it is a log that tells all"
    assert '"level":"debug"' in gateway.log(), "it is a log that tells all"
    for daemon in (api, gateway):
        for secret in (PASSWORD, token, near, PAYLOAD_SECRET):
            assert secret not in daemon.log(), daemon.name


def test_a_refused_login_does_not_tell_the_password(broker, tmp_path):
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "headcount-gateway", "other"], check=True)
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    with Broker(tmp_path / "other", settings=[f"password_file {passwords}"]) as strict:
        gateway = Gateway(strict, tmp_path, {"broker": {"username": "headcount-gateway", "password_file": secret}})
        gateway.spawn()
        gateway.wait_for(lambda: "broker: refused: " in gateway.log(), 30, "it is refused")
        gateway.stop()
    assert PASSWORD not in gateway.log()


# JSON


def test_every_line_is_an_object(guarded):
    guarded.stop()
    guarded.gateway.stop()
    for daemon in (guarded, guarded.gateway):
        lines = [json.loads(line) for line in daemon.log().splitlines()]
        assert lines
        assert {line["program"] for line in lines} == {daemon.name}
        assert {line["level"] for line in lines} <= {"error", "warning", "notice", "info", "debug"}
        for line in lines:
            assert set(line) - {"subject", "more"} == {"time", "level", "program", "message"}


# Storms


def test_ten_thousand_rejected_events_are_no_ten_thousand_lines(broker, gateway):
    gateway.stop()
    gateway.configure({"log": {"level": "info"}})
    with gateway, Publisher(broker) as device:
        for seq in range(5000):
            device.send("dpu/stranger/events", {"dpu_event_time": seq, "count": 1})
            device.send("dpu/423/events", f"no JSON {seq}")
        device.flush()
        wait_until(lambda: stored(gateway, "unknown_dpu") + stored(gateway, "malformed") == 10000, 120)
    assert gateway.log().count("\n") < LINES


def test_answers_that_nobody_can_get_are_counted(broker, gateway):
    gateway.stop()
    gateway.configure({"log": {"level": "info"}})
    before = gateway.log().count("\n")
    with gateway, Requester(broker) as stranger:
        for number in range(2000):
            topic = f"replies/#\u202e{number}"
            sent = stranger.send(topic, {"action": "create", "object": "space", "id": f"s{number}"})
        sent.wait_for_publish(60)
        Headcount(gateway.config)("space", "add", "last", "--timezone", "UTC")
    said = gateway.log().splitlines()[before:]
    assert len(said) < LINES
    assert any("replies/#\\u202e0: not published" in line for line in said)
    assert any(line.endswith("… and 1990 more") for line in said)


def test_ten_thousand_bad_tokens_are_no_ten_thousand_lines(closed):
    with contextlib.closing(closed.connect()) as connection:
        for number in range(10000):
            headers = {"Authorization": f"Bearer guess-{number}"}
            answer = closed.request("GET", "/spaces", headers=headers, connection=connection, checked=False)
            assert answer.status == 401
    closed.stop()
    assert closed.log().count("\n") < LINES
    assert "guess-" not in closed.log()


def test_malformed_requests_are_few_lines_even_at_debug(gateway, tmp_path):
    with Api(gateway, tmp_path, {"log": {"level": "debug"}}) as api:
        for _ in range(1500):
            raw(api, b"GET / HTTP/1.1\r\n\x00\x1b[2J : \xff\r\n\r\n")
        api.stop()
        assert api.log().count("\n") < 1000 + LINES
        assert "\x1b" not in api.log()
