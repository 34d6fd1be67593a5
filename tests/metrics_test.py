"""The gateway's own metrics for Prometheus, at [gateway] metrics_port."""

import http.client
import re
import shutil
import socket
import subprocess

import pytest

from harness import Broker, Gateway, Headcount, Publisher, free_port, wait_until

EVENT = {"dpu_event_time": "2020-01-01T00:00:00Z", "count": 1}
SAMPLE = re.compile(r"^(\w+(?:\{[^}]*\})?) (\S+)$", re.M)


def ask(gateway, path="/metrics", method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.metrics_port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def samples(gateway):
    answer, text = ask(gateway)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {name.removeprefix("headcount_gateway_"): float(value) for name, value in SAMPLE.findall(text)}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    port = free_port()
    with Broker(folder) as broker, Gateway(broker, folder, {"gateway": {"metrics_port": port}}) as gateway:
        gateway.metrics_port = port
        headcount = Headcount(gateway.config)
        headcount("space", "add", "A")
        headcount("doorway", "add", "X", "--space", "A")
        headcount("dpu", "add", "some-device")
        headcount("installation", "add", "--dpu", "some-device", "--doorway", "X", "--from", "2018-01-01")
        yield gateway


def test_what_happened_is_counted(gateway):
    with Publisher(gateway.broker) as dpu:
        dpu.publish("dpu/some-device/events", [EVENT, {**EVENT, "seq": 1}, EVENT, {"count": 0}])
        dpu.publish("dpu/nobody/events", EVENT)
    expected = {
        "events_stored_total": 2,
        "events_duplicate_total": 1,
        'events_rejected_total{reason="invalid_time"}': 1,
        'events_rejected_total{reason="unknown_dpu"}': 1,
        'events_rejected_total{reason="malformed"}': 0,
        "messages_total": 6,
        "commands_total": 4,
        "event_lag_seconds_count": 2,
        'event_lag_seconds_bucket{le="604800"}': 0,
    }
    wait_until(
        lambda: {name: samples(gateway)[name] for name in expected} == expected,
        message=lambda: samples(gateway),
    )


def test_histograms_agree_with_each_other(gateway):
    now = samples(gateway)
    assert now["commit_seconds_count"] > 0
    assert now["batch_items_count"] == now["commit_seconds_count"]
    for name in ("commit_seconds", "batch_items", "event_lag_seconds"):
        buckets = [value for key, value in now.items() if key.startswith(name + "_bucket")]
        assert buckets == sorted(buckets)
        assert buckets[-1] == now[name + "_count"]
    assert now["batch_items_sum"] >= now["messages_total"]


def test_sizes_and_connections_are_told(gateway):
    now = samples(gateway)
    assert now["broker_connected"] == 1
    assert now["database_bytes"] > 0
    assert now["wal_bytes"] > 0
    assert now["publications_outstanding"] == 0
    assert any(name.startswith("build_info{version=") for name in now)


def test_prometheus_finds_nothing_to_complain_of(gateway):
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian package prometheus) is not installed")
    _, text = ask(gateway)
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_no_device_is_named(gateway):
    _, text = ask(gateway)
    assert "some-device" not in text


def test_only_metrics_are_there_and_only_to_be_read(gateway):
    assert ask(gateway, "/")[0].status == 404
    refused, _ = ask(gateway, method="POST")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")


def test_they_are_told_while_the_broker_is_away(gateway):
    gateway.broker.stop()
    wait_until(lambda: samples(gateway)["broker_connected"] == 0)
    gateway.broker.start()
    wait_until(lambda: samples(gateway)["broker_connected"] == 1)


def test_a_port_that_is_taken_keeps_nobody_from_counting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Broker(tmp_path) as broker, Gateway(broker, tmp_path, {"gateway": {"metrics_port": port}}) as gateway:
            assert f"metrics: can't listen on 127.0.0.1 port {port}" in gateway.log()
