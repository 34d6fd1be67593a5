"""Real brokers, gateways and command lines for tests of the whole system.

    with Broker(folder) as broker, Gateway(broker, folder) as gateway:
        headcount = Headcount(gateway.config)
        headcount("space", "add", "A")
        with Publisher(broker) as dpu:
            dpu.publish("dpu/423/events", {"dpu_event_time": "2026-11-23T08:15:30Z", "count": 1})
        wait_until(lambda: retained_topics(broker, "space/A/count") == {"space/A/count": "1"})

Everything listens on loopback, on free ports, and keeps its files in the folder it is given. The logs of all
daemons that a test started are added to the report of a test that fails (conftest.py). A daemon that reports
an error of a sanitizer, or ends otherwise than asked, fails the test that stops it.
"""

import atexit
import collections
import contextlib
import getpass
import gzip
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import paho.mqtt.client as mqtt

import contract

SOURCE_DIR = Path(os.environ.get("HEADCOUNT_SOURCE_DIR", Path(__file__).resolve().parents[1]))
SANITIZER_EXIT = 99
SANITIZER_REPORT = re.compile(r"runtime error:|ERROR: (Address|Leak|Thread|Undefined)\w*Sanitizer")
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:print_stacktrace=1:halt_on_error=1",
    "LSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}",
}

daemons = []  # that were started; conftest.py forgets those that have ended before each test


def bin_dir():
    """Where the programs under test are."""
    folder = os.environ.get("HEADCOUNT_BIN_DIR")
    if not folder:
        raise RuntimeError("HEADCOUNT_BIN_DIR is not set: run the tests through ctest, or give it")
    return Path(folder).resolve()


def wait_until(condition, timeout=30.0, message="the condition"):
    """Asks `condition` until it says something true, which is returned; else fails, naming `message` (a text,
    or a function that is called when it is too late)."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            text = message() if callable(message) else message
            raise AssertionError(f"not within {timeout:g} s: {text}")
        time.sleep(0.02)


def free_port():
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_open(port, address="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


class Daemon:
    """A program in the background, with its log in a file. As a context it runs from entry to exit."""

    exit_codes = {0}  # after stop()

    def __init__(self, name, folder):
        self.name = name
        self.environment = {}  # what it gets besides ours
        self.wrapper = []  # a command that runs it, such as ip netns exec
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / f"{name}.log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def wait_ready(self):
        raise NotImplementedError

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def spawn(self):
        """Starts the program without waiting for it to be ready."""
        assert not self.running, f"{self.name} runs already"
        if self not in daemons:
            daemons.append(self)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.wrapper + self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **SANITIZER_ENVIRONMENT, **self.environment},
                cwd=self.folder,
            )

    def start(self):
        """Starts the program and waits until it is ready."""
        self.spawn()
        self.wait_ready()
        return self

    def wait_for(self, condition, timeout, what):
        """wait_until, but gives up at once when the program has ended."""

        def alive_and():
            answer = condition()
            if not answer and not self.running:
                code = self.process.returncode
                raise AssertionError(f"{self.name} ended with {code} before: {what}\n{self.log()}")
            return answer

        return wait_until(alive_and, timeout, lambda: f"{what}\n{self.log()}")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=30.0):
        """Waits for the program to end by itself; its exit code."""
        return self.process.wait(timeout)

    def stop(self, timeout=30.0):
        """Asks the program to end (SIGTERM) and checks that it did so in good order."""
        if self.process is None:
            return
        if self.running:
            self.process.terminate()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {timeout:g} s\n{self.log()}")
        self.process = None
        assert code in self.exit_codes, f"{self.name} ended with {code}\n{self.log()}"
        self.check_sanitizers()

    def check_sanitizers(self):
        assert not SANITIZER_REPORT.search(self.log()), f"{self.name}:\n{self.log()}"

    def kill(self):
        """Ends the program at once (SIGKILL), as a crash would."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None
        self.check_sanitizers()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.kill_quietly()
            raise

    def __exit__(self, kind, value, traceback):
        if kind is None:
            self.stop()
        else:
            self.kill_quietly()

    def kill_quietly(self):
        with contextlib.suppress(AssertionError):
            self.kill()


class Broker(Daemon):
    """mosquitto with the project's mosquitto.conf, moved to free ports and into a folder. `settings` are lines
    that are added to it; `replace` maps an option of it to another value (None: without the option)."""

    login = None, None  # of clients that don't name one

    def __init__(self, folder, settings=(), replace=None):
        super().__init__("mosquitto", Path(folder) / "broker")
        self.port = free_port()
        self.websockets_port = free_port()
        self.config_path = self.folder / "mosquitto.conf"
        adapted = subprocess.run(
            [
                SOURCE_DIR / "scripts" / "broker-config",
                *("--mqtt-port", str(self.port)),
                *("--websockets-port", str(self.websockets_port)),
                *("--data", str(self.folder)),
                *("--user", getpass.getuser()),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for option, value in (replace or {}).items():
            adapted, found = re.subn(
                rf"^{option} .*$", "" if value is None else f"{option} {value}", adapted, flags=re.M
            )
            assert found, f"mosquitto.conf has no {option}"
        self.config_path.write_text(adapted + "".join(line + "\n" for line in settings))

    def command(self):
        return ["/usr/sbin/mosquitto", "-c", str(self.config_path)]

    def wait_ready(self):
        for port in (self.port, self.websockets_port):
            self.wait_for(lambda port=port: port_open(port), 20, f"mosquitto listens on {port}")
        # It listens before it is ready; an answer, even a refusal, says that it is.
        with contextlib.suppress(ConnectionRefusedError), Client(self):
            pass

    def save(self):
        """Has it save its state at once, as it does by itself every autosave_interval: whom it knows, and what waits."""
        saved = self.folder / "mosquitto.db"
        before = saved.stat().st_mtime_ns if saved.exists() else 0
        self.signal(signal.SIGUSR1)
        self.wait_for(lambda: saved.exists() and saved.stat().st_mtime_ns > before, 30, "mosquitto has saved")

    def restart(self):
        """A clean stop, which saves the broker's state, and a start."""
        self.stop()
        return self.start()


class Gateway(Daemon):
    """headcount-gateway with a configuration and a database of its own in the folder. `settings` add to the
    configuration: {"gateway": {"batch_items": 10}}."""

    def __init__(self, broker, folder, settings=None):
        super().__init__("headcount-gateway", Path(folder) / "gateway")
        self.broker = broker
        self.config = self.folder / "headcount.conf"
        self.database = self.folder / "headcount.db"
        self.client_id = "headcount-gateway"
        self.configure(settings or {})

    def configure(self, settings):
        """Writes the configuration anew, for the next start."""
        groups = {
            "broker": {"host": "127.0.0.1", "port": self.broker.port},
            "store": {"database": self.database},
            "gateway": {"client_id": self.client_id},
            "log": {"level": "debug"},
        }
        write_config(self.config, groups, settings)
        self.client_id = groups["gateway"]["client_id"]

    @property
    def status_topic(self):
        return f"gateway/{self.client_id}/status"

    def command(self):
        return [str(bin_dir() / "headcount-gateway"), "--config", str(self.config)]

    def start(self):
        """Starts it and waits until it says anew that it is online."""
        if not self.broker.running:
            raise AssertionError("the broker is down: use spawn(), then wait_ready()")
        with Subscriber(self.broker, self.status_topic) as status:
            self.spawn()
            self.wait_for(lambda: "online" in status.live(), 60, "the gateway says it is online")
        return self

    def wait_ready(self, timeout=60.0):
        """Waits until the retained status is online (which an earlier gateway may have said)."""
        online = {self.status_topic: "online"}
        self.wait_for(
            lambda: self.broker.running and retained_topics(self.broker, self.status_topic) == online,
            timeout,
            "the gateway says it is online",
        )

    @contextlib.contextmanager
    def reading(self):
        """A read-only connection to the database."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        ) as connection:
            yield connection

    def query(self, sql, parameters=()):
        """All rows of a query on the database."""
        with self.reading() as connection:
            return connection.execute(sql, parameters).fetchall()

    def value(self, sql, parameters=()):
        """The one value of a query on the database."""
        return self.query(sql, parameters)[0][0]


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        packed = self.headers.get("Content-Encoding") == "gzip"
        return (gzip.decompress(self.body) if packed else self.body).decode()

    def json(self):
        return json.loads(self.text)


class Api(Daemon):
    """headcount-api on a gateway's database and broker. Every answer is held to the contract.

        with Api(gateway, folder) as api:
            assert api.get("/spaces/A", time="2018-02-26 18:00").json()["count"] == 13

    Without a token, requests are the anonymous ones that `anonymous_read` admits; `settings` add to the
    configuration: {"api": {"anonymous_read": False}}. With `trust`, an ssl.SSLContext, requests go by TLS."""

    def __init__(self, gateway, folder, settings=None, trust=None):
        super().__init__("headcount-api", Path(folder) / "api")
        self.gateway = gateway
        self.port = free_port()
        self.trust = trust
        self.config = self.folder / "headcount.conf"
        self.token_file = self.folder / "tokens"
        self.tokens = {}
        self.token = None  # of requests that name none
        groups = {
            "broker": {"host": "127.0.0.1", "port": gateway.broker.port},
            "store": {"database": gateway.database},
            "gateway": {"client_id": gateway.client_id},
            "api": {
                "port": self.port,
                "anonymous_read": True,
                "token_file": self.token_file,
                "failed_tokens_per_minute": 1_000_000,
            },
            "log": {"level": "info"},
        }
        write_config(self.config, groups, settings or {})

    def command(self):
        return [str(bin_dir() / "headcount-api"), "--config", str(self.config)]

    def wait_ready(self):
        self.wait_for(lambda: port_open(self.port), 30, f"headcount-api listens on {self.port}")

    def wait_connected(self):
        """Waits until it has found broker and gateway."""
        self.wait_for(lambda: self.get("/readyz").status == 200, 60, "/readyz says yes")

    def add_token(self, scope, *options):
        """A new token of a scope; `options` are those of `headcount token add`."""
        name = f"token-{len(self.tokens) + 1}"
        said = Headcount(self.config).json("token", "add", name, "--scope", scope, *options)
        self.tokens[name] = said["token"]
        return said["token"]

    def connect(self, timeout=30.0):
        """A connection that is kept alive; the caller closes it."""
        if self.trust:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.trust)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(
        self, method, target, body=None, headers=None, token=None, connection=None, checked=True
    ):
        """One request; a body that is not bytes is sent as JSON. An answer outside the contract raises."""
        headers = dict(headers or {})
        if token or self.token:
            headers["Authorization"] = f"Bearer {token or self.token}"
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = payload_bytes(body)
        own = contextlib.closing(self.connect()) if connection is None else None
        with own or contextlib.nullcontext(connection) as used:
            used.request(method, target, body, headers)
            answered = used.getresponse()
            endless = answered.headers.get_content_type() == "text/event-stream"
            body = b"" if endless else answered.read()
            answer = Answer(answered.status, answered.headers, body)
        if checked:
            contract.check(method, target, answer)
            contract.check_always(answer)
        return answer

    def get(self, path, headers=None, token=None, connection=None, **parameters):
        target = path + ("?" + urlencode(parameters) if parameters else "")
        return self.request("GET", target, headers=headers, token=token, connection=connection)

    def ask(self, path, **parameters):
        """The object that a GET answers with, which must be a 200."""
        answer = self.get(path, **parameters)
        assert answer.status == 200, (path, parameters, answer.status, answer.text)
        return answer.json()

    def tell(self, method, path, body=None, status=None):
        """A change of the registry, with a token for it; the object answered."""
        if "admin" not in self.tokens:
            self.tokens["admin"] = self.add_token("admin")
        answer = self.request(method, path, body, token=self.tokens["admin"])
        expected = status or {"POST": 201, "PATCH": 200, "DELETE": 204}[method]
        assert answer.status == expected, (method, path, body, answer.status, answer.text)
        return answer.json() if answer.body else None

    def pages(self, path, **parameters):
        """All items of a list, page by page."""
        items, cursor = [], {}
        while True:
            page = self.ask(path, **parameters, **cursor)
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = {"cursor": page["next"]}


def write_config(path, groups, settings):
    for group, keys in settings.items():
        groups.setdefault(group, {}).update(keys)
    lines = []
    for group, keys in groups.items():
        lines.append(f"[{group}]")
        lines += [f"{key}={config_text(value)}" for key, value in keys.items()]
    path.write_text("\n".join(lines) + "\n")


def config_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


class Headcount:
    """The command line: headcount("space", "list") is what it printed, headcount.json("space", "list") what it
    printed with --json, read."""

    def __init__(self, config):
        self.config = config

    def run(self, *arguments, timeout=120.0, input=None):
        """Runs the command and returns subprocess's result, whatever the exit code is."""
        result = subprocess.run(
            [str(bin_dir() / "headcount"), *map(str, arguments)],
            env={**os.environ, **SANITIZER_ENVIRONMENT, "HEADCOUNT_CONFIG": str(self.config)},
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert not SANITIZER_REPORT.search(result.stderr), result.stderr
        return result

    def __call__(self, *arguments, **options):
        result = self.run(*arguments, **options)
        assert result.returncode == 0, (
            f"headcount {' '.join(map(str, arguments))}: {result.returncode}\n"
            f"{result.stdout}{result.stderr}"
        )
        return result.stdout

    def json(self, *arguments, **options):
        return json.loads(self(*arguments, "--json", **options))

    def spawn(self, *arguments):
        """Runs the command in the background: a Popen with text pipes, which the caller ends."""
        return subprocess.Popen(
            [str(bin_dir() / "headcount"), *map(str, arguments)],
            env={**os.environ, **SANITIZER_ENVIRONMENT, "HEADCOUNT_CONFIG": str(self.config)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


class Client:
    """A connection to the broker with paho, as a context; reconnects by itself. `clean=False` keeps the session
    (and the name) for the next connection, `websockets` takes that listener, `port` another one; `tls` are arguments of
    paho's tls_set."""

    def __init__(
        self,
        broker,
        client_id=None,
        username=None,
        password=None,
        clean=True,
        websockets=False,
        port=None,
        tls=None,
    ):
        self.broker = broker
        self.port = port or (broker.websockets_port if websockets else broker.port)
        if username is None:
            username, password = broker.login
        self.client_id = client_id or f"test-{uuid.uuid4()}"
        self.client = mqtt.Client(
            self.client_id,
            clean_session=clean,
            protocol=mqtt.MQTTv311,
            transport="websockets" if websockets else "tcp",
        )
        self.client.max_inflight_messages_set(1000)
        self.client.max_queued_messages_set(0)
        self.client.reconnect_delay_set(min_delay=1, max_delay=1)
        if username is not None:
            self.client.username_pw_set(username, password)
        if tls is not None:
            self.client.tls_set(**tls)
        self.connected = threading.Event()
        self.refusal = None
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = lambda *_: self.connected.clear()

    def on_connect(self, client, userdata, flags, code):
        self.refusal = code
        if code == 0:
            self.connected.set()

    def open(self):
        self.client.connect("127.0.0.1", self.port, keepalive=60)
        self.client.loop_start()
        wait_until(lambda: self.refusal is not None, 20, f"CONNACK for {self.client_id}")
        if self.refusal != 0:
            self.close()
            raise ConnectionRefusedError(mqtt.connack_string(self.refusal))
        return self

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    def __enter__(self):
        return self.open()

    def __exit__(self, *_):
        self.close()


def payload_bytes(payload):
    if isinstance(payload, (bytes, bytearray)):
        return bytes(payload)
    return (payload if isinstance(payload, str) else json.dumps(payload)).encode()


class Publisher(Client):
    """Publishes at QoS 1. A payload is bytes, a str, or anything else that becomes JSON."""

    WINDOW = 10000  # sent and not acknowledged; paho has 65535 packet ids

    def __init__(self, broker, **options):
        super().__init__(broker, **options)
        self.pending = collections.deque()

    def send(self, topic, payload, retain=False, qos=1):
        """Publishes without waiting (but for a full window): paho's MQTTMessageInfo, whose is_published() is true
        after the PUBACK."""
        if len(self.pending) >= self.WINDOW:
            self.flush(leave=self.WINDOW // 2)
        info = self.client.publish(topic, payload_bytes(payload), qos=qos, retain=retain)
        self.pending.append(info)
        return info

    def flush(self, timeout=120.0, leave=0):
        """Waits until the broker has acknowledged all that was sent (but the newest `leave`)."""
        deadline = time.monotonic() + timeout
        while len(self.pending) > leave:
            left = deadline - time.monotonic()
            assert left > 0, f"no PUBACK within {timeout:g} s"
            self.pending[0].wait_for_publish(min(left, 1))
            while self.pending and self.pending[0].is_published():
                self.pending.popleft()

    def publish(self, topic, payload, retain=False, qos=1, timeout=30.0):
        """Publishes one message and waits for its PUBACK."""
        self.send(topic, payload, retain, qos)
        self.flush(timeout)


class Subscriber(Client):
    """Collects the messages of one or more filters, from the SUBACK on."""

    def __init__(self, broker, *filters, qos=1, **options):
        super().__init__(broker, **options)
        self.filters = filters
        self.qos = qos
        self.lock = threading.Lock()
        self.received = []  # (topic, payload as str, was it retained)
        self.in_order = threading.Event()
        self.granted = None
        self.client.on_message = self.on_message
        self.client.on_subscribe = self.on_subscribe

    def on_connect(self, client, userdata, flags, code):
        super().on_connect(client, userdata, flags, code)
        if code == 0:
            client.subscribe([(name, self.qos) for name in self.filters])

    def on_subscribe(self, client, userdata, mid, granted):
        if self.granted is None:
            self.granted = list(granted)
        else:
            self.in_order.set()

    def settle(self, timeout=30.0):
        """Waits until all has arrived that the broker had for us before this call."""
        # The answer to a further subscription comes after it, on the same connection.
        self.in_order.clear()
        self.client.subscribe(f"replies/{self.client_id}")
        wait_until(self.in_order.is_set, timeout, "the broker's answer")

    def on_message(self, client, userdata, message):
        with self.lock:
            self.received.append(
                (message.topic, message.payload.decode(errors="replace"), bool(message.retain))
            )

    def open(self):
        super().open()
        wait_until(lambda: self.granted is not None, 20, "SUBACK")
        return self

    def messages(self):
        """All messages so far: [(topic, payload)]."""
        with self.lock:
            return [(topic, payload) for topic, payload, _ in self.received]

    def live(self):
        """The payloads of those that were published since the subscription."""
        with self.lock:
            return [payload for _, payload, retained in self.received if not retained]

    def last(self, topic):
        """The newest payload of a topic, None if there is none."""
        with self.lock:
            return next((p for name, p, _ in reversed(self.received) if name == topic), None)


def retained_topics(broker, topic_filter, username=None):
    """What the broker has retained for a filter: {topic: payload}."""
    # A message to ourselves comes after the retained ones: both are delivered in order at QoS 1.
    end = f"replies/test-{uuid.uuid4()}"
    with Subscriber(broker, end, topic_filter, username=username) as subscriber:
        subscriber.client.publish(end, b"", qos=1)
        wait_until(lambda: subscriber.last(end) is not None, 30, f"retained messages of {topic_filter}")
        with subscriber.lock:
            return {topic: text for topic, text, retained in subscriber.received if retained}


@atexit.register
def end_leftovers():
    """A test that was interrupted leaves nothing running."""
    for daemon in daemons:
        daemon.kill_quietly()
