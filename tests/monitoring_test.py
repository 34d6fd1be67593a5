"""What config/ has for other people's programs: prometheus.yml scrapes a running gateway and HTTP side with a real
Prometheus, every question of grafana-dashboard.json has an answer there, and node-red-flow.json hangs together."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import SOURCE_DIR, Api, Broker, Daemon, Gateway, Headcount, Publisher, free_port, wait_until

DASHBOARD = json.loads((SOURCE_DIR / "config/grafana-dashboard.json").read_text())
FLOW = json.loads((SOURCE_DIR / "config/node-red-flow.json").read_text())
PROMETHEUS = SOURCE_DIR / "config/prometheus.yml"
SUFFIX = re.compile(r"_(bucket|sum|count)$")

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus (Debian package prometheus) is not installed"
)


def questions():
    """[(title of the panel, its PromQL)]"""
    return [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]


def metrics_in(expression):
    """The names of metrics in PromQL: what is left without labels, times, lists of labels and functions."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-z_]\w*\b(?!\s*\()", bare))


class Prometheus(Daemon):
    """A Prometheus with config/prometheus.yml, moved to our ports and in a hurry."""

    def __init__(self, folder, gateway_port, api_port):
        super().__init__("prometheus", folder)
        self.port = free_port()
        text = PROMETHEUS.read_text()
        for old, new in ((":9464", f":{gateway_port}"), (":8080", f":{api_port}"), ("15s", "1s")):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (self.folder / "prometheus.yml").write_text(text)

    def command(self):
        return [
            "prometheus",
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def wait_ready(self):
        self.wait_for(self.is_ready, 30, "prometheus is ready")

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=10).status == 200
        except urllib.error.URLError:
            return False

    def ask(self, expression):
        """The series that answer; a question that is no PromQL raises."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=10) as answer:
            return json.load(answer)["data"]["result"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A gateway and an HTTP side that have had something to do of each kind."""
    folder = tmp_path_factory.mktemp("monitoring")
    port = free_port()
    with Broker(folder) as broker, Gateway(broker, folder, {"gateway": {"metrics_port": port}}) as gateway:
        gateway.metrics_port = port
        Headcount(gateway.config)("space", "add", "A")
        with Api(gateway, folder) as api:
            api.wait_connected()
            yield gateway, api


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return set(re.findall(r"^# TYPE (\w+)", answer.read().decode(), re.M))


@pytest.mark.parametrize("expression, names", [
    ("rate(a_total[$__rate_interval]) / b", {"a_total", "b"}),
    ('histogram_quantile(0.99, sum by (le, x) (rate(c_bucket{route!="/live"}[5m])))', {"c_bucket"}),
    ('up{job="z"} > 0', {"up"}),
])  # fmt: skip
def test_names_are_found_in_a_question(expression, names):
    assert metrics_in(expression) == names


def test_every_metric_of_the_dashboard_exists(programs):
    gateway, api = programs
    there = scraped(gateway.metrics_port) | scraped(api.port) | {"up"}
    asked = set().union(*(metrics_in(expression) for _, expression in questions()))
    assert {SUFFIX.sub("", name) if name not in there else name for name in asked} - there == set()


@needs_prometheus
def test_every_question_of_the_dashboard_is_answered(programs, tmp_path):
    gateway, api = programs
    event = {"dpu_event_time": "2026-01-01T08:00:00Z", "count": 1}
    with Prometheus(tmp_path, gateway.metrics_port, api.port) as prometheus, Publisher(gateway.broker) as dpu:
        wait_until(lambda: len(prometheus.ask("up == 1")) == 2, 30, "both are scraped")
        wait_until(lambda: prometheus.ask("headcount_gateway_broker_dropped_messages_total >= 0"), 60, "$SYS")

        def unanswered():
            dpu.publish("dpu/423/events", event)
            return [
                (title, expression)
                for title, expression in questions()
                if not prometheus.ask(expression.replace("$__rate_interval", "10s"))
            ]

        wait_until(lambda: unanswered() == [], 60, unanswered)


@needs_prometheus
def test_prometheus_takes_its_configuration():
    checked = subprocess.run(["promtool", "check", "config", PROMETHEUS], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dashboard_is_one_that_grafana_10_reads():
    assert DASHBOARD["schemaVersion"] >= 38  # Grafana 10.0
    assert "id" not in DASHBOARD  # it is given on import
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    source = {"type": "prometheus", "uid": "${datasource}"}
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"] == source and panel["title"]
        assert [target["datasource"] for target in panel["targets"]] == [source] * len(panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_no_two_panels_lie_on_one_another():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def test_the_flow_hangs_together():
    nodes = {node["id"]: node for node in FLOW}
    assert len(nodes) == len(FLOW)
    [tab] = [node["id"] for node in FLOW if node["type"] == "tab"]
    wired = [node for node in FLOW if "wires" in node]
    for node in wired:
        assert node["z"] == tab
        assert len(node["wires"]) == node.get("outputs", len(node["wires"]))
        assert len(node.get("rules", [])) == len(node["wires"]) or node["type"] != "switch"
        for target in sum(node["wires"], []):
            assert "wires" in nodes[target], f"{node['id']} -> {target}"
    reached, ahead = set(), [node["id"] for node in wired if node["type"] == "mqtt in"]
    while ahead:
        node = ahead.pop()
        reached.add(node)
        ahead += [target for target in sum(nodes[node]["wires"], []) if target not in reached]
    assert reached == {node["id"] for node in wired}


def test_the_flow_reads_states_and_has_no_secret():
    nodes = {node["id"]: node for node in FLOW}
    [source] = [node for node in FLOW if node["type"] == "mqtt in"]
    assert source["topic"] == "space/+/state"
    assert nodes[source["broker"]]["type"] == "mqtt-broker"
    assert {"json", "switch", "debug"} <= {node["type"] for node in FLOW}
    assert any(node.get("property") == "payload.utilization" for node in FLOW)
    assert not {"credentials", "user", "password"} & {key for node in FLOW for key in node}
