"""mosquitto.conf and config/mosquitto.acl, tried on a running broker: who may read and write what, how large a
message may be, and that nothing acknowledged is dropped while its reader is away."""

import subprocess

import pytest

from harness import Broker, Publisher, Subscriber, port_open, wait_until
from rights import RIGHTS, TOPICS

@pytest.fixture(scope="module")
def open_broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.mark.parametrize("user", RIGHTS)
def test_a_user_writes_what_is_its_own_and_nothing_else(open_broker, user):
    with Subscriber(open_broker, "#") as everything:
        with Publisher(open_broker, username=user) as publisher:
            for topic in TOPICS:
                publisher.publish(topic, "said")
        everything.settle()
        assert {topic for topic, _ in everything.messages()} == RIGHTS[user][0]


@pytest.mark.parametrize("user", RIGHTS)
def test_a_user_reads_what_concerns_it_and_nothing_else(open_broker, user):
    with Subscriber(open_broker, "#", username=user) as reader:
        with Publisher(open_broker) as publisher:
            for topic in TOPICS:
                publisher.publish(topic, "said")
        reader.settle()
        assert {topic for topic, _ in reader.messages()} == RIGHTS[user][1]


def test_a_refused_message_does_not_end_the_connection(open_broker):
    with Subscriber(open_broker, "dpu/#") as everything:
        with Publisher(open_broker, username="423") as dpu:
            dpu.publish("dpu/283/events", "forged")
            dpu.publish("dpu/423/events", "honest")
        everything.settle()
        assert everything.messages() == [("dpu/423/events", "honest")]


@pytest.mark.parametrize("user", [None, "headcount-gateway"])
def test_the_gateway_sees_what_the_broker_dropped(open_broker, user):
    dropped = "$SYS/broker/publish/messages/dropped"
    with Subscriber(open_broker, dropped, username=user) as gateway:
        wait_until(lambda: gateway.last(dropped) is not None, 30, dropped)


def test_a_display_reads_counts_over_websockets(open_broker):
    with Subscriber(open_broker, "space/#", username="display", websockets=True) as display:
        with Publisher(open_broker) as gateway:
            gateway.publish("space/A/count", "12")
        wait_until(lambda: ("space/A/count", "12") in display.messages(), 20, "the count")


def test_listens_on_loopback_only(open_broker):
    # 127.0.0.2 is this machine too, but not the address we listen on: as refused as any other.
    for port in (open_broker.port, open_broker.websockets_port):
        assert port_open(port)
        assert not port_open(port, "127.0.0.2")


def test_with_passwords_only_who_knows_one_gets_in(tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "423", "secret"], check=True)
    with Broker(
        tmp_path, settings=[f"password_file {passwords}"], replace={"allow_anonymous": "false"}
    ) as broker:
        for username, password in [(None, None), ("423", None), ("423", "guess"), ("283", "secret")]:
            with pytest.raises(ConnectionRefusedError):
                Publisher(broker, username=username, password=password).open()
        with Subscriber(broker, "dpu/423/stored", username="423", password="secret"):
            pass


def test_an_oversized_batch_still_reaches_the_gateway(open_broker):
    with Subscriber(open_broker, "dpu/423/events") as gateway:
        with Publisher(open_broker) as dpu:
            dpu.publish("dpu/423/events", b"x" * 1_000_000)
        gateway.settle()
        assert [len(payload) for _, payload in gateway.messages()] == [1_000_000]


def test_a_monstrous_message_is_not_acknowledged(open_broker):
    with Subscriber(open_broker, "dpu/423/events") as gateway:
        with Publisher(open_broker) as dpu:
            sent = dpu.send("dpu/423/events", b"x" * 2_000_000)
            wait_until(lambda: not dpu.connected.is_set(), 20, "the broker ends the connection")
            dpu.client.disconnect()
            assert not sent.is_published()
        gateway.settle()
        assert gateway.messages() == []


def test_nothing_acknowledged_is_dropped_while_the_gateway_is_away(tmp_path):
    count = 20_000
    payloads = [f'{{"dpu_event_time": {second * 1000}, "count": 1}}' for second in range(count)]
    with Broker(tmp_path) as broker:
        with Subscriber(broker, "dpu/+/events", client_id="gateway", clean=False):
            pass
        with Publisher(broker) as dpu:
            for payload in payloads:
                dpu.send("dpu/423/events", payload)
            dpu.flush()
        broker.restart()
        with Subscriber(broker, "dpu/+/events", client_id="gateway", clean=False) as gateway:
            wait_until(
                lambda: len(gateway.messages()) >= count,
                60,
                lambda: f"{count} messages, there are {len(gateway.messages())}",
            )
            assert sorted({payload for _, payload in gateway.messages()}) == sorted(payloads)
