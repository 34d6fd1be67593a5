"""Home Assistant's MQTT discovery: what the gateway says to `homeassistant/…`, at a real broker. The payloads are held
to api/asyncapi.yaml."""

import contextlib
import json

import jinja2
import pytest

import contract
from harness import SOURCE_DIR, Broker, Gateway, Headcount, Publisher, Subscriber, retained_topics, wait_until

ON = {"gateway": {"home_assistant": True}}
CONFIGS = "homeassistant/device/+/config"
BIRTH = "homeassistant/status"


def topic_of(object_id):
    return f"homeassistant/device/{object_id}/config"


def retained_configs(broker):
    return {topic: json.loads(text) for topic, text in retained_topics(broker, CONFIGS).items()}


def wait_for_configs(broker, *object_ids):
    """Waits until the broker has those of these objects and no others; {topic: what it says}."""
    topics = {topic_of(object_id) for object_id in object_ids}
    wait_until(lambda: set(retained_topics(broker, CONFIGS)) == topics, message=lambda: retained_configs(broker))
    for text in retained_topics(broker, CONFIGS).values():
        contract.check_message("discovery", text)
    return retained_configs(broker)


def rendered(template, state):
    """As Home Assistant does: `value_json` is there only if the payload is JSON."""
    values = {}
    with contextlib.suppress(ValueError):
        values["value_json"] = json.loads(state)
    return jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(template).render(values)


@pytest.fixture
def gateway(broker, tmp_path):
    with Gateway(broker, tmp_path, ON) as running:
        yield running


def test_switched_off_nothing_is_said(broker, tmp_path):
    with Subscriber(broker, "homeassistant/#") as heard, Publisher(broker) as home_assistant:
        with Gateway(broker, tmp_path) as gateway:
            Headcount(gateway.config)("space", "add", "A")
            home_assistant.publish(BIRTH, "online", qos=0)
            wait_until(lambda: "space/A/count" in retained_topics(broker, "space/A/count"), message="the count")
        heard.settle()
        assert heard.messages() == [(BIRTH, "online")]


def test_each_space_is_a_device_with_its_sensors(broker, gateway, headcount):
    headcount("space", "add", "hall", "--name", "Great hall", "--capacity", "80")
    headcount("space", "add", "a.b:c_d")
    configs = wait_for_configs(broker, "headcount_hall", "headcount_a_db_cc__d")
    hall = configs[topic_of("headcount_hall")]
    other = configs[topic_of("headcount_a_db_cc__d")]
    assert (hall["device"]["name"], other["device"]["name"]) == ("Great hall", "a.b:c_d")
    assert set(hall["components"]) == {"count", "utilization", "health"}
    assert set(other["components"]) == {"count", "health"}
    assert other["components"]["count"]["state_topic"] == "space/a.b:c_d/count"
    ids = [part["unique_id"] for config in configs.values() for part in config["components"].values()]
    assert len(set(ids)) == len(ids) == 5
    assert retained_topics(broker, hall["availability_topic"]) == {gateway.status_topic: "online"}


def test_what_the_sensors_read_is_there(broker, gateway, headcount):
    headcount("space", "add", "hall", "--capacity", "80")
    headcount("reset", "hall", "10")
    parts = wait_for_configs(broker, "headcount_hall")[topic_of("headcount_hall")]["components"]
    wait_until(lambda: retained_topics(broker, "space/hall/count") == {"space/hall/count": "10"})
    state = retained_topics(broker, parts["utilization"]["state_topic"])["space/hall/state"]
    assert retained_topics(broker, parts["count"]["state_topic"]) == {"space/hall/count": "10"}
    assert rendered(parts["utilization"]["value_template"], state) == "12.5"
    assert rendered(parts["health"]["value_template"], state) in parts["health"]["options"]
    for part in (parts["utilization"], parts["health"]):
        assert rendered(part["value_template"], "") == "None"  # which Home Assistant shows as unknown
    without = json.dumps({**json.loads(state), "utilization": None})
    assert rendered(parts["utilization"]["value_template"], without) == "None"


def test_changes_of_a_space_are_followed(broker, gateway, headcount):
    topic = topic_of("headcount_hall")
    with Subscriber(broker, CONFIGS) as heard:
        headcount("space", "add", "hall", "--capacity", "80")
        wait_for_configs(broker, "headcount_hall")
        headcount("space", "set", "hall", "--name", "Great hall")
        wait_until(lambda: json.loads(heard.last(topic))["device"]["name"] == "Great hall", message="the name")
        headcount("space", "set", "hall", "--capacity", "")
        wait_until(lambda: "utilization" not in json.loads(heard.last(topic))["components"], message="no capacity")
        removing = json.loads(heard.messages()[-2][1])["components"]["utilization"]
        assert removing == {"platform": "sensor"}
        headcount("space", "remove", "hall")
        wait_until(lambda: heard.last(topic) == "", message="it is removed")
        for _, text in heard.messages()[:-1]:
            contract.check_message("discovery", text)
    assert retained_topics(broker, CONFIGS) == {}


def test_all_is_said_again_when_home_assistant_has_come_back(broker, gateway, headcount):
    headcount("space", "add", "A", "--capacity", "1")
    headcount("space", "add", "B", "--capacity", "1")
    wait_for_configs(broker, "headcount_A", "headcount_B")
    with Subscriber(broker, CONFIGS) as heard, Publisher(broker) as home_assistant:
        home_assistant.publish(BIRTH, "offline", qos=0)
        home_assistant.publish(BIRTH, "online", qos=0)
        wait_until(lambda: len(heard.live()) >= 2, message="both again")
        assert len(heard.live()) == 2


def test_a_broker_that_forgot_hears_it_again(broker, gateway, headcount):
    headcount("space", "add", "A")
    wait_for_configs(broker, "headcount_A")
    broker.kill()
    for file in broker.folder.rglob("mosquitto.db"):
        file.unlink()
    broker.start()
    wait_for_configs(broker, "headcount_A")


def test_what_is_no_longer_so_is_taken_back(broker, tmp_path):
    gateway = Gateway(broker, tmp_path, ON)
    with gateway:
        headcount = Headcount(gateway.config)
        headcount("space", "add", "A")
        headcount("space", "add", "B")
        wait_for_configs(broker, "headcount_A", "headcount_B")
    lamp, stale = topic_of("lamp"), topic_of("headcount_C")
    with Publisher(broker) as others:
        others.publish(lamp, "{}", retain=True)
        said = retained_topics(broker, topic_of("headcount_A"))[topic_of("headcount_A")]
        others.publish(stale, said.replace("headcount_A", "headcount_C"), retain=True)
    with gateway:
        wait_until(lambda: stale not in retained_topics(broker, CONFIGS), message="a space that is not there")
        assert len(retained_topics(broker, CONFIGS)) == 3
    gateway.configure({"gateway": {"home_assistant": False}})
    with gateway:
        wait_until(lambda: set(retained_topics(broker, CONFIGS)) == {lamp}, message="switched off")


def test_another_prefix(tmp_path):
    rights = tmp_path / "acl"
    rights.write_text((SOURCE_DIR / "config/mosquitto.acl").read_text().replace("homeassistant/", "ha/"))
    settings = {"gateway": {"home_assistant": True, "home_assistant_prefix": "ha"}}
    with Broker(tmp_path, replace={"acl_file": rights}) as broker:
        with Gateway(broker, tmp_path, settings) as gateway, Subscriber(broker, "ha/#") as heard:
            Headcount(gateway.config)("space", "add", "A", "--capacity", "1")
            topic = "ha/device/headcount_A/config"
            wait_until(lambda: heard.last(topic), message=topic)
            with Publisher(broker) as home_assistant:
                home_assistant.publish("ha/status", "online", qos=0)
            wait_until(lambda: len(heard.live()) == 3, message="again after the birth")
        assert retained_topics(broker, "homeassistant/#") == {}


def test_thousands_of_spaces_come_slowly_and_hold_up_no_count(broker, gateway):
    spaces = 2000
    with Publisher(broker) as command:
        for number in range(spaces):
            values = {"id": f"s{number}", "capacity": 10}
            command.send("registry/commands", {"action": "create", "object": "space", "values": values})
        command.flush()
        wait_until(lambda: len(retained_topics(broker, CONFIGS)) == spaces, 120, "all of them")
        with Subscriber(broker, CONFIGS, "space/s7/count") as heard:
            command.publish(BIRTH, "online", qos=0)
            wait_until(heard.live, message="they begin again")
            reset = {"space": "s7", "count": 5}
            command.publish("registry/commands", {"action": "create", "object": "reset", "values": reset})
            wait_until(lambda: len(heard.live()) == spaces + 1, 120, lambda: len(heard.live()))
            live = heard.live()
    assert live.index("5") < spaces / 2
    topics = [topic for topic, _ in heard.messages()[-spaces - 1 :] if topic != "space/s7/count"]
    assert len(set(topics)) == spaces
