"""What the gateway says over MQTT, held to api/asyncapi.yaml: every message that it publishes in a day's work."""

import itertools
import json
import queue
import re

import jsonschema
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import contract
from harness import Gateway, Publisher, Subscriber, retained_topics, wait_until

CHANNELS = contract.document("asyncapi.yaml")["channels"]
MESSAGES = contract.document("asyncapi.yaml")["components"]["messages"]
TIME = "2026-11-23T08:15:30.125Z"

# In this order; each with the status that its answer has.
COMMANDS = [
    (201, "create", "space", None, {"id": "hall", "name": "Hall", "timezone": "Europe/Berlin", "capacity": 80}),
    (201, "create", "space", None, {"id": "room", "parent": "hall", "daily_reset": "04:00"}),
    (409, "create", "space", None, {"id": "room"}),
    (400, "create", "space", None, {"id": "no id"}),
    (400, "create", "space", None, {}),
    (200, "update", "space", "hall", {"name": "Great hall", "capacity": None}),
    (404, "update", "space", "nowhere", {"name": "?"}),
    (201, "create", "doorway", None, {"id": "X", "space": "hall"}),
    (201, "create", "doorway", None, {"id": "Z", "space": "room", "adjacent_space": "hall"}),
    (200, "update", "doorway", "Z", {"name": "Inner door"}),
    (201, "create", "dpu", None, {"id": "423"}),
    (200, "update", "dpu", "423", {"name": "By the door"}),
    (201, "create", "installation", None, {"dpu": "423", "doorway": "X", "started_at": "2018-01-01T00:00:00Z"}),
    (409, "create", "installation", None, {"dpu": "423", "doorway": "Z", "started_at": "2019-01-01T00:00:00Z"}),
    (200, "update", "installation", 1, {"orientation": -1}),
    (200, "move", "dpu", "423", {"doorway": "Z", "at": "2020-01-01T00:00:00Z"}),
    (201, "create", "reset", None, {"space": "hall", "count": 7, "at": "2018-03-01T04:00:00Z"}),
    (204, "delete", "reset", None, {"space": "hall", "at": "2018-03-01T04:00:00Z"}),
    (200, "replay", "rejected-event", None, {"reason": "unknown_dpu"}),
    (200, "delete", "rejected-event", None, {}),
    (200, "rebuild", "space", "hall", None),
    (204, "delete", "installation", "2", None),
    (409, "delete", "space", "hall", None),
    (400, "paint", "space", "hall", None),
    (400, "create", "building", None, {"id": "B"}),
]


class Requester:
    """MQTT 5 requests: what is published with a response topic, and the answers to it, as texts."""

    def __init__(self, broker):
        self.broker = broker
        self.client = mqtt.Client("requester", protocol=mqtt.MQTTv5)
        self.answers = queue.Queue()
        self.numbers = itertools.count(1)
        self.client.on_connect = lambda client, *_: client.subscribe("replies/requester", qos=1)
        self.client.on_subscribe = lambda *_: self.answers.put(None)
        self.client.on_message = lambda client, userdata, message: self.answers.put(message)

    def __enter__(self):
        self.client.connect("127.0.0.1", self.broker.port)
        self.client.loop_start()
        assert self.answers.get(timeout=20) is None
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def __call__(self, topic, payload):
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic = "replies/requester"
        properties.CorrelationData = str(next(self.numbers)).encode()
        self.client.publish(topic, payload, qos=1, properties=properties)
        answer = self.answers.get(timeout=20)
        assert answer.properties.CorrelationData == properties.CorrelationData
        return answer.payload.decode()


def command(action, kind, identity, values):
    parts = {"action": action, "object": kind, "id": identity, "values": values}
    return json.dumps({name: part for name, part in parts.items() if part is not None})


def message_of(topic):
    """The name of the message that a topic carries, by the addresses of the contract."""
    for channel in CHANNELS.values():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(channel.get("address", "")))
        if re.fullmatch(pattern, topic):
            return next(iter(channel["messages"].values()))["$ref"].rpartition("/")[2]
    raise contract.Broken(f"the contract has no topic {topic}")


@pytest.mark.parametrize("name", MESSAGES)
def test_the_examples_are_as_the_contract_says(name):
    schema = MESSAGES[name]["payload"]
    jsonschema.Draft202012Validator.check_schema(schema)
    for example in MESSAGES[name].get("examples", []):
        contract.complain(schema, example["payload"], name, "asyncapi.yaml")


def test_what_is_not_as_the_contract_says_is_found():
    state = MESSAGES["state"]["examples"][0]["payload"]
    for wrong in ({**state, "count": "12"}, {**state, "colour": "red"}, {**state, "as_of": "now"}, {"id": "A"}):
        with pytest.raises(contract.Broken):
            contract.check_message("state", json.dumps(wrong))
    with pytest.raises(contract.Broken):
        contract.check_message("status", "perhaps")
    with pytest.raises(contract.Broken):
        message_of("space/hall/colour")


def test_commands_are_answered_as_the_contract_says(broker, gateway):
    with Requester(broker) as request:
        for status, *parts in COMMANDS:
            text = command(*parts)
            answer = request("registry/commands", text)
            assert json.loads(answer)["status"] == status, (text, answer)
            contract.check_message("commandAnswer", answer)
            if status < 400:
                contract.check_message("command", text)
        for text in ("", "no JSON", "[]", '{"action": 1}', '{"object": "space"}', "{" * 100):
            answer = request("registry/commands", text)
            assert json.loads(answer)["status"] == 400
            contract.check_message("commandAnswer", answer)


def test_events_are_answered_as_the_contract_says(broker, gateway):
    with Requester(broker) as request:
        for text in (
            json.dumps({"dpu_event_time": TIME, "count": 1}),
            json.dumps([{"dpu_event_time": TIME, "count": -1}, {"dpu_event_time": 0, "count": 100}]),
            "no JSON",
        ):
            answer = request("dpu/423/events", text)
            contract.check_message("eventsAnswer", answer)
            assert json.loads(answer)["body"]["rejected"] == (2 if text.startswith("[") else 1)


def test_every_message_of_a_days_work_is_in_the_contract(broker, tmp_path):
    seen = set()
    with Subscriber(broker, "space/#", "gateway/#", "dpu/+/stored", "homeassistant/#") as everything:
        settings = {"confirm_stored": True, "publish_interval_ms": 0, "home_assistant": True}
        gateway = Gateway(broker, tmp_path, {"gateway": settings})
        with gateway, Requester(broker) as request:
            for status, *parts in COMMANDS[:13]:
                request("registry/commands", command(*parts))
            with Publisher(broker) as device:
                device.publish("dpu/423/status", "online")
                device.publish("dpu/423/events", {"dpu_event_time": TIME, "count": 1, "seq": 7})
                device.publish("dpu/423/events", {"dpu_event_time": "then", "count": 1})
            wait_until(lambda: everything.last("dpu/423/stored"), message="dpu/423/stored")
            wait_until(lambda: everything.last("space/hall/count") == "1", message="the count")
            wait_until(
                lambda: everything.last("homeassistant/device/headcount_room/config"), message="room's configuration"
            )
            request("registry/commands", command("create", "space", None, {"id": "gone"}))
            request("registry/commands", command("delete", "space", "gone", None))
            wait_until(lambda: everything.last("space/gone/state") == "", message="it is gone")
            broker.restart()  # an error that the next health tells
            wait_until(
                lambda: '"last_error":{' in (everything.last(f"gateway/{gateway.client_id}/health") or ""),
                message="the error",
            )
        wait_until(lambda: everything.last(gateway.status_topic) == "offline", message="offline")
        said = everything.messages()
    for topic, payload in said:
        name = message_of(topic)
        seen.add(name)
        if payload != "" or name not in ("count", "state", "discovery"):  # an empty one ends what was retained
            contract.check_message(name, payload)
    assert seen == {"count", "state", "status", "health", "stored", "discovery"}
    assert retained_topics(broker, "dpu/+/stored") == {}
