"""Every payload of payload_cases.txt, and topics and flags that no file can say, over real MQTT:
each item ends stored or rejected with the right reason, everything is acknowledged, and no
neighbour in the batch is harmed."""

import json
from datetime import datetime

import oracle
import pytest
from harness import Gateway, Subscriber
from loader import Loader
from payload_file import read_cases

NEIGHBOUR = "neighbour"
NEIGHBOURS_BEGIN = 1_600_000_000_000


def create(kind, **values):
    return json.dumps({"action": "create", "object": kind, "values": values}).encode()


def install(loader, dpu):
    """A DPU at a doorway of its own since 2018."""
    loader.send("registry/commands", create("doorway", id=dpu, space="hall"))
    loader.send("registry/commands", create("dpu", id=dpu))
    loader.send(
        "registry/commands",
        create("installation", dpu=dpu, doorway=dpu, started_at="2018-01-01T00:00:00Z"),
    )


def installed(gateway):
    return gateway.value("SELECT count(*) FROM installation")


def stored(gateway, dpu):
    return sorted(
        gateway.query(
            "SELECT dpu_event_time, seq, count FROM installation_count"
            " JOIN installation ON installation.id = installation JOIN dpu ON dpu.id = dpu"
            " WHERE dpu_id = ?",
            (dpu,),
        )
    )


def rejected(gateway, topic):
    """(reason, item, its size) of the topic, as often as they came."""
    rows = gateway.query(
        "SELECT reason, item, item_size, times FROM rejected_event WHERE topic = ? ORDER BY id",
        (topic,),
    )
    return [(reason, item, size) for reason, item, size, times in rows for _ in range(times)]


def send_neighbour(loader, sent):
    """An ordinary event, before and after each that may not be one."""
    event = (NEIGHBOURS_BEGIN + len(sent), 0, 1)
    payload = json.dumps({"dpu_event_time": event[0], "count": 1}).encode()
    loader.send(f"dpu/{NEIGHBOUR}/events", payload)
    sent.append(event)


def publish_together(gateway, messages, dpus):
    """Installs the DPUs, then publishes all messages while the gateway is away, each between
    neighbours, so that they come in its next batches. Returns once all neighbours are stored."""
    port = gateway.broker.port
    with Loader(port, "operator") as loader:
        loader.send("registry/commands", create("space", id="hall"))
        for dpu in [NEIGHBOUR, *dpus]:
            install(loader, dpu)
        loader.flush()
    gateway.wait_for(lambda: installed(gateway) == len(dpus) + 1, 60, "the DPUs are installed")
    gateway.stop()
    neighbours = []
    with Loader(port, "device") as loader:
        for topic, payload, retain in messages:
            send_neighbour(loader, neighbours)
            loader.send(topic, payload, retain=retain)
        send_neighbour(loader, neighbours)
        loader.flush()
    gateway.start()
    gateway.wait_for(
        lambda: stored(gateway, NEIGHBOUR) == neighbours, 60, "all neighbours are stored"
    )


def check_acknowledged(gateway):
    """The gateway's session has nothing left to deliver. Stops the gateway, to take it over."""
    gateway.stop()
    with Subscriber(
        gateway.broker, "replies/nobody", client_id=gateway.client_id, clean=False
    ) as session:
        session.settle()
        left = [topic for topic, _ in session.messages() if topic.startswith("dpu/")]
    assert left == []


def case_differences(gateway, dpu, case):
    """What became of a case otherwise than its lines say."""
    payload = bytes(case.payload)
    found = rejected(gateway, f"dpu/{dpu}/events")
    if stored(gateway, dpu) != sorted(case.stored):
        yield f"stored {stored(gateway, dpu)[:5]}, not {case.stored[:5]}"
    if sorted(reason for reason, _, _ in found) != sorted(r.reason for r in case.rejected):
        yield f"rejected {found[:5]}, not {case.rejected[:5]}"
    for reason, item, size in found:
        if reason == "too_large":
            right = item == payload[:65536] and size == len(payload)
        else:
            right = item in payload and size == len(item)
        if not right:
            yield f"kept {item[:80]!r} of {size} bytes"
    for expected in case.rejected:
        if expected.event and not any(event_of(item) == expected.event for _, item, _ in found):
            yield f"no item kept is {expected.event}"


def event_of(item):
    """A kept item as (time, seq, count), if it is a plain event with a time in UTC."""
    try:
        event = json.loads(item)
        time = event["dpu_event_time"]
        at = time if isinstance(time, int) else oracle.milliseconds(datetime.fromisoformat(time))
        return at, event.get("seq", 0), event["count"]
    except (ValueError, TypeError, KeyError):
        return None


def test_each_case_ends_as_it_should_and_harms_no_neighbour(broker, tmp_path):
    cases = read_cases()
    assert len(cases) >= 40
    dpus = [f"case-{number}" for number in range(len(cases))]
    messages = [
        (f"dpu/{dpu}/events", bytes(case.payload), False) for dpu, case in zip(dpus, cases)
    ]
    gateway = Gateway(broker, tmp_path).start()
    publish_together(gateway, messages, dpus)
    differences = {
        case.name: found
        for dpu, case in zip(dpus, cases)
        if (found := list(case_differences(gateway, dpu, case)))
    }
    assert differences == {}
    check_acknowledged(gateway)


GOOD = b'{"dpu_event_time": "2019-01-01T00:00:00Z", "count": 1}'
BAD_TOPICS = [
    "dpu/a b/events",
    "dpu//events",
    f"dpu/{'x' * 65}/events",
    "dpu/T\u00fcr/events",
    "dpu/a,b/events",
    "dpu/$SYS/events",
    "dpu/*/events",
]


@pytest.mark.parametrize("retain", [False, True])
def test_a_topic_that_names_no_possible_dpu_is_a_reason(broker, tmp_path, retain):
    gateway = Gateway(broker, tmp_path).start()
    publish_together(gateway, [(topic, GOOD, retain) for topic in BAD_TOPICS], [])
    for topic in BAD_TOPICS:
        found = rejected(gateway, topic)
        assert found and set(found) == {("topic", GOOD, len(GOOD))}, topic
    assert gateway.query("SELECT DISTINCT dpu_id FROM rejected_event") == [("",)]
    check_acknowledged(gateway)


def test_an_id_of_64_characters_is_an_ordinary_one(broker, tmp_path):
    dpu = "Z9._:-" + "x" * 58
    gateway = Gateway(broker, tmp_path).start()
    publish_together(gateway, [(f"dpu/{dpu}/events", GOOD, False)], [dpu])
    assert len(stored(gateway, dpu)) == 1
    check_acknowledged(gateway)


def test_a_retained_event_counts_once_however_often_it_is_delivered(broker, tmp_path):
    gateway = Gateway(broker, tmp_path).start()
    publish_together(gateway, [("dpu/door/events", GOOD, True)], ["door"])
    for _ in range(2):
        gateway.stop()
        gateway.start()
        with Loader(broker.port, "device") as loader:
            loader.send("dpu/nobody/events", GOOD)
            loader.flush()
        gateway.wait_for(
            lambda: rejected(gateway, "dpu/nobody/events"), 30, "what came after the retained event"
        )
    assert len(stored(gateway, "door")) == 1
    assert rejected(gateway, "dpu/door/events") == []
    check_acknowledged(gateway)
