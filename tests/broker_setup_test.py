"""What `headcount broker-setup` writes, tried on a running mosquitto: each right and each refusal, passwords, TLS,
certificates, and that none of headcount's programs talks to somebody who only says that he is the broker."""

import base64
import csv
import hashlib
import io
import os
import pwd
import shutil
import socket
import ssl
import stat
import time

import paho.mqtt.client as mqtt
import pytest

from harness import (
    Api,
    Client,
    Gateway,
    Headcount,
    Publisher,
    Subscriber,
    port_open,
    wait_until,
    write_config,
)
from rights import RIGHTS, TOPICS
from secured import SecuredBroker, make_authority, make_certificate

PROGRAMS = ("headcount-gateway", "headcount-api", "headcount-ctl")
USERS = [name for name in RIGHTS if name not in (None, "stranger", "+", "#")] + ["lobby"]
EVENT = {"dpu_event_time": "2026-11-23T08:15:30Z", "count": 1}


class Site:
    """A broker set up, a gateway, and users with passwords: what the tests below share."""

    def __init__(self, broker, gateway):
        self.broker, self.gateway = broker, gateway
        self.headcount = Headcount(self.operators_config())
        self.passwords = {name: broker.password(name) for name in PROGRAMS}
        for name in ("423", "283"):
            self.passwords[name] = self.headcount("dpu", "add", name, "--password").strip()
        for name in ("display", "homeassistant", "lobby"):
            self.passwords[name] = self.headcount("display", "add", name).strip()
        broker.reload()

    def operators_config(self):
        """As on a machine of its own: what broker-setup wrote is a drop-in."""
        config = self.broker.folder / "etc" / "headcount.conf"
        (config.parent / "conf.d").mkdir(parents=True)
        write_config(config, {"store": {"database": self.gateway.database}}, {})
        (config.parent / "conf.d" / "broker.conf").symlink_to(self.broker.dir / "broker.conf")
        return config

    def login(self, user, **more):
        """How a user gets in: programs of this machine without TLS, everybody else with it."""
        way = {} if user in PROGRAMS else self.broker.tls()
        return {"username": user, "password": self.passwords[user], **way, **more}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with SecuredBroker(folder) as broker, Gateway(broker, folder, broker.programs) as gateway:
        yield Site(broker, gateway)


def is_refused(broker, **options):
    """Does the broker end the connection, or say no? (Without paho's thread: with TLS 1.3 a certificate is refused after
    the handshake, by an exception.)"""
    client = Client(broker, **options)
    deadline = time.monotonic() + 20
    try:
        client.client.connect("127.0.0.1", client.port)
        while client.refusal is None and client.client.loop(0.1) == mqtt.MQTT_ERR_SUCCESS:
            assert time.monotonic() < deadline, "neither yes nor no"
        client.client.disconnect()
    except (ssl.SSLError, ConnectionError):
        return True
    return client.refusal != 0


# Rights


def rights_of(user):
    return RIGHTS["display" if user == "lobby" else user]


READABLE = {topic for user in USERS for topic in rights_of(user)[1]}
WRITER = {topic: user for user in USERS for topic in rights_of(user)[0]}


@pytest.mark.parametrize("user", USERS)
def test_a_user_writes_what_is_its_own_and_nothing_else(site, user):
    readers = [
        Subscriber(site.broker, "#", **site.login(name))
        for name in USERS
        if name != user or name in PROGRAMS  # others have one connection a name
    ]
    try:
        for reader in readers:
            reader.open()
        with Publisher(site.broker, **site.login(user)) as publisher:
            for topic in TOPICS:
                publisher.publish(topic, f"of {user}")
        heard = set()
        for reader in readers:
            reader.settle()
            heard |= {topic for topic, payload in reader.messages() if payload == f"of {user}"}
    finally:
        for reader in readers:
            reader.close()
    assert heard == rights_of(user)[0] & READABLE


@pytest.mark.parametrize("user", USERS)
def test_a_user_reads_what_concerns_it_and_nothing_else(site, user):
    topics = [topic for topic in TOPICS if topic in WRITER]
    with Subscriber(site.broker, "#", "$SYS/#", "dpu/+/events", **site.login(user)) as reader:
        told = set()
        for topic in topics:
            writers = [name for name in USERS if topic in rights_of(name)[0] and name != user]
            if writers:
                told.add(topic)
                with Publisher(site.broker, **site.login(writers[0])) as publisher:
                    publisher.publish(topic, f"for {user}")
        reader.settle()
        heard = {topic for topic, payload in reader.messages() if payload == f"for {user}"}
    assert heard == rights_of(user)[1] & told


def test_nobody_but_the_gateway_reads_the_broker_s_own_state(site):
    for user in USERS:
        with Subscriber(site.broker, "$SYS/#", **site.login(user)) as reader:
            reader.settle()
            assert bool(reader.messages()) == (user == "headcount-gateway"), user


@pytest.mark.parametrize("user, allowed", [("423", ("dpu/423/stored",)), ("lobby", ("space/", "gateway/"))])
def test_a_shared_subscription_gives_nobody_more_and_takes_from_nobody(site, user, allowed):
    filters = [f"$share/group/{name}" for name in ("#", "dpu/+/events", "registry/commands", "replies/#")]
    kept = "SELECT count(*) FROM rejected_event WHERE dpu_id = '283' AND instr(CAST(item AS TEXT), ?)"
    with Subscriber(site.broker, *filters, **site.login(user)) as reader:
        with Publisher(site.broker, **site.login("283")) as dpu:
            for number in range(20):
                dpu.send("dpu/283/events", {**EVENT, "seq": number, "with": user})
            dpu.flush()
        site.headcount("space", "add", f"shared-{user}")
        reader.settle()
        assert [topic for topic, _ in reader.messages() if not topic.startswith(allowed)] == []
    wait_until(lambda: site.gateway.value(kept, (f'"{user}"',)) == 20, 20, "the gateway has all of them")


# Who gets in


@pytest.mark.parametrize("listener", ["port", "tls-port", "websockets-port", "certificates-port"])
@pytest.mark.parametrize("password", [None, "", "guess", "display", "423"])
def test_nobody_gets_in_without_the_right_password(site, listener, password):
    way = {"port": site.broker.port} if listener == "port" else site.broker.tls(listener)
    way["websockets"] = listener == "websockets-port"
    for user in ("423", "display", "headcount-gateway", "root", ""):
        assert is_refused(site.broker, username=user, password=password, **way)


def test_nobody_gets_in_without_a_name(site):
    client = Client(site.broker, **site.broker.tls())
    client.client.username_pw_set(None)
    with pytest.raises(ConnectionRefusedError):
        client.open()
    client = Client(site.broker)
    client.client.username_pw_set(None)
    with pytest.raises(ConnectionRefusedError):
        client.open()


def test_without_tls_there_is_nobody_but_the_programs(site):
    for user in USERS:
        options = {"username": user, "password": site.passwords[user], "port": site.broker.port}
        if user in PROGRAMS:
            with Client(site.broker, **options):
                pass
        else:
            assert is_refused(site.broker, **options)


def test_a_display_in_a_browser_reads_counts(site):
    way = site.broker.tls("websockets-port")
    with Subscriber(
        site.broker, "space/#", username="lobby", password=site.passwords["lobby"],
        websockets=True, **way,
    ) as display:  # fmt: skip
        with Publisher(site.broker, **site.login("headcount-gateway")) as publisher:
            publisher.publish("space/lobby/count", "12")
        wait_until(lambda: ("space/lobby/count", "12") in display.messages(), 20, "the count")


@pytest.mark.parametrize("user", ["423", "lobby"])
@pytest.mark.parametrize("listener", ["tls-port", "websockets-port"])
def test_nobody_takes_over_the_gateway_s_session(site, user, listener):
    websockets = listener == "websockets-port"
    with Subscriber(site.broker, site.gateway.status_topic) as status:
        with Client(
            site.broker, client_id="headcount-gateway", username=user,
            password=site.passwords[user], websockets=websockets, **site.broker.tls(listener),
        ):  # fmt: skip
            pass
        site.headcount("space", "add", f"{user}-{listener}")  # the gateway answers
        status.settle()
        assert status.live() == []


# What it listens to


def test_listens_on_loopback_only(site):
    for port in site.broker.ports.values():
        assert port_open(port)
        assert not port_open(port, "127.0.0.2")


def test_listens_where_it_is_told_to_with_tls_only(tmp_path):
    with SecuredBroker(tmp_path, "--listen", "127.0.0.2") as broker:
        for name, port in broker.ports.items():
            assert port_open(port)
            assert port_open(port, "127.0.0.2") == (name != "port")
            assert not port_open(port, "127.0.0.3")


def test_listens_everywhere_when_it_is_told_to(tmp_path):
    with SecuredBroker(tmp_path, "--listen", "0.0.0.0") as broker:
        for name, port in broker.ports.items():
            assert port_open(port, "127.0.0.3") == (name != "port")


# TLS: a client that knows who the broker is


def test_without_tls_the_tls_port_answers_nothing(site):
    for name in ("tls-port", "certificates-port"):
        port = site.broker.ports[name]
        assert is_refused(site.broker, username="423", password=site.passwords["423"], port=port)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(site, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.broker.dir / "ca.crt")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", site.broker.ports["tls-port"])) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain, server_hostname="localhost")


class Imposter(SecuredBroker):
    """The same with another server certificate."""

    def __init__(self, folder, kind):
        super().__init__(folder)
        other = {
            "unknown": {"authority": make_authority(self.folder)},
            "expired": {"authority": self.dir / "ca", "days": -1},
            "misnamed": {"authority": self.dir / "ca", "hosts": "DNS:elsewhere.example"},
            "right": {"authority": self.dir / "ca"},
        }[kind]
        made = make_certificate(self.folder, kind, **other)
        for ending in (".crt", ".key"):
            shutil.copy(f"{made}{ending}", self.dir / f"server{ending}")


WRONG = ["unknown", "expired", "misnamed", "plain"]


@pytest.fixture(scope="module", params=[*WRONG, "right"])
def imposter(request, tmp_path_factory):
    """A broker, and the settings of programs that shall not trust it (but the right one): (kind, broker, settings)."""
    kind = "right" if request.param == "plain" else request.param
    with Imposter(tmp_path_factory.mktemp(request.param), kind) as broker:
        settings = broker.programs_by_tls
        if request.param == "plain":  # TLS, where there is none
            settings["broker"]["port"] = broker.port
        yield request.param, broker, settings


def test_the_command_line_trusts_no_imposter(imposter, tmp_path):
    kind, broker, settings = imposter
    config = tmp_path / "headcount.conf"
    write_config(config, settings, {})
    result = Headcount(config).run("space", "add", "A", timeout=60)
    assert result.returncode == 3, (kind, result.stderr)
    # The right one lets it in, and there is no gateway.
    assert ("gateway" in result.stderr) == (kind == "right"), result.stderr


def test_the_daemons_trust_no_imposter(imposter, tmp_path):
    kind, broker, settings = imposter
    gateway = Gateway(broker, tmp_path, settings)
    gateway.spawn()
    try:
        if kind == "right":
            gateway.wait_for(lambda: "connected to the broker" in gateway.log(), 30, "it is let in")
            with Api(gateway, tmp_path, settings) as api:
                api.wait_connected()
        else:
            gateway.wait_for(lambda: "trying again" in gateway.log(), 30, "it is not let in")
            api = Api(gateway, tmp_path, settings)
            api.spawn()
            try:
                api.wait_for(lambda: "trying again" in api.log(), 30, "it is not let in")
            finally:
                api.kill()
    finally:
        gateway.kill()


def test_everything_works_over_tls(tmp_path):
    with SecuredBroker(tmp_path) as broker:
        settings = broker.programs_by_tls
        with Subscriber(broker, "gateway/+/status") as status:
            gateway = Gateway(broker, tmp_path, settings)
            gateway.spawn()
            wait_until(lambda: "online" in status.live(), 60, gateway.log)
        try:
            headcount = Headcount(gateway.config)
            headcount("space", "add", "A")
            headcount("doorway", "add", "X", "--space", "A")
            password = headcount("dpu", "add", "423", "--password").strip()
            headcount("installation", "add", "--dpu=423", "--doorway=X", "--from=2026-01-01")
            broker.reload()
            with Api(gateway, tmp_path, settings) as api:
                api.wait_connected()
                with Publisher(broker, username="423", password=password, **broker.tls()) as dpu:
                    dpu.publish("dpu/423/events", EVENT)
                wait_until(lambda: api.ask("/spaces/A")["count"] == 1, 20, "the event is counted")
                api.request("PUT", "/dpus/423", {**EVENT, "seq": 2}, token=api.add_token("ingest"))
                wait_until(lambda: api.ask("/spaces/A")["count"] == 2, 20, "the other one is, too")
        finally:
            gateway.stop()


# Client certificates


@pytest.fixture(scope="module")
def client_certificates(site, tmp_path_factory):
    """Kinds of certificates: {kind: arguments of tls_set}."""
    folder = tmp_path_factory.mktemp("clients")
    config = folder / "headcount.conf"
    write_config(config, site.broker.programs, {})
    Headcount(config)("broker-certificate", "423", "--out", folder)
    paths = {
        "right": folder / "423",
        "expired": make_certificate(folder, "423-expired", site.broker.dir / "ca", days=-1),
        "unknown": make_certificate(folder, "423-unknown", make_authority(folder)),
        "a server's": site.broker.dir / "server",
    }
    return {
        kind: {"certfile": f"{path}.crt", "keyfile": f"{path}.key"} for kind, path in paths.items()
    }


def test_a_client_with_a_certificate_is_who_it_says(site, client_certificates):
    way = site.broker.tls("certificates-port", **client_certificates["right"])
    # Whatever username it gives.
    with Subscriber(site.broker, "dpu/#") as reader, Publisher(
        site.broker, username="headcount-gateway", password="x", **way
    ) as dpu, Subscriber(site.broker, "dpu/#", **site.login("headcount-gateway")) as gateway:
        dpu.publish("dpu/423/events", "mine")
        dpu.publish("dpu/283/events", "another's")
        dpu.publish("dpu/423/stored", "the gateway's")
        for subscriber in (reader, gateway):
            subscriber.settle()
        assert gateway.messages() == [("dpu/423/events", "mine")]
        assert reader.messages() == []


@pytest.mark.parametrize("kind", ["none", "expired", "unknown", "a server's"])
def test_a_client_with_another_certificate_is_refused(site, client_certificates, kind):
    way = site.broker.tls("certificates-port", **client_certificates.get(kind, {}))
    assert is_refused(site.broker, username="423", password=site.passwords["423"], **way)


def test_a_certificate_is_made_once_and_only_its_owner_reads_the_key(site, client_certificates, tmp_path):
    config = tmp_path / "headcount.conf"
    write_config(config, site.broker.programs, {})
    headcount = Headcount(config)
    headcount("broker-certificate", "a.b:c", "--out", tmp_path)
    assert stat.S_IMODE((tmp_path / "a.b:c.key").stat().st_mode) == 0o600
    before = (tmp_path / "a.b:c.key").read_bytes()
    assert headcount.run("broker-certificate", "a.b:c", "--out", tmp_path).returncode == 1
    assert (tmp_path / "a.b:c.key").read_bytes() == before
    assert headcount.run("broker-certificate", "a/b", "--out", tmp_path).returncode == 2


def test_a_key_is_written_into_no_file_that_waits_for_it(site, tmp_path):
    """In a folder of many, somebody may have put one there whose owner is not us."""
    config = tmp_path / "headcount.conf"
    write_config(config, site.broker.programs, {})
    elsewhere = tmp_path / "elsewhere"
    for name in ("423.key.new", "423.crt.new", "423.key", "423.key.tmp"):
        (tmp_path / name).symlink_to(elsewhere)
    Headcount(config)("broker-certificate", "423", "--out", tmp_path)
    assert not elsewhere.exists()
    assert not (tmp_path / "423.key").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {
        "headcount.conf", "423.key.new", "423.crt.new", "423.key.tmp", "423.key", "423.crt"
    }  # fmt: skip


# Reloads


def test_a_new_dpu_gets_in_after_a_reload_and_the_gateway_misses_nothing(site):
    with Subscriber(site.broker, site.gateway.status_topic) as status, Publisher(
        site.broker, **site.login("423")
    ) as dpu:
        before = site.gateway.value("SELECT count(*) FROM rejected_event")
        password = site.headcount("dpu", "add", "new", "--password").strip()
        assert is_refused(site.broker, username="new", password=password, **site.broker.tls())
        for number in range(100):
            dpu.send("dpu/423/events", {**EVENT, "seq": number})
            if number % 25 == 0:
                site.broker.reload()
        dpu.flush()
        with Publisher(site.broker, username="new", password=password, **site.broker.tls()) as new:
            new.publish("dpu/new/events", EVENT)
        wait_until(
            lambda: site.gateway.value("SELECT count(*) FROM rejected_event") == before + 101,
            20,
            "all events are kept (nothing is hung up: they are rejected)",
        )
        status.settle()
        assert status.live() == []


def test_a_dpu_s_password_is_renewed_and_taken_back(site):
    password = site.headcount("dpu", "add", "short", "--password").strip()
    site.broker.reload()
    way = {"username": "short", **site.broker.tls()}
    with Publisher(site.broker, password=password, **way) as dpu:
        renewed = site.headcount("dpu", "set", "short", "--password").strip()
        site.broker.reload()
        wait_until(lambda: not dpu.connected.is_set(), 20, "who has the old password is put out")
        dpu.client.disconnect()
    assert is_refused(site.broker, password=password, **way)
    with Client(site.broker, password=renewed, **way):
        pass
    site.headcount("dpu", "remove", "short")
    site.broker.reload()
    assert is_refused(site.broker, password=renewed, **way)


@pytest.mark.parametrize("then", ["reload", "restart"])
def test_what_waits_for_a_gateway_that_is_away_survives(tmp_path, then):
    with SecuredBroker(tmp_path) as broker:
        gateway = Gateway(broker, tmp_path, broker.programs)
        with gateway:
            headcount = Headcount(gateway.config)
            password = headcount("dpu", "add", "423", "--password").strip()
        broker.reload()
        way = {"username": "423", "password": password, **broker.tls()}
        with Publisher(broker, **way) as dpu:
            dpu.publish("dpu/423/events", EVENT)
        getattr(broker, then)()
        with Publisher(broker, **way) as dpu:
            dpu.publish("dpu/423/events", {**EVENT, "seq": 2})
        with gateway:
            wait_until(
                lambda: gateway.value("SELECT count(*) FROM rejected_event") == 2, 20, "both are there"
            )


# Names


@pytest.mark.parametrize("name", [*PROGRAMS, "display", "homeassistant", "lobby"])
def test_a_dpu_can_not_be_named_like_a_user_with_rights_of_its_own(site, name):
    before = (site.broker.dir / "passwords").read_bytes()
    for command in (("add", name), ("set", name)):
        result = site.headcount.run("dpu", *command, "--password")
        assert result.returncode == 1
        assert "needs another name" in result.stderr
    result = site.headcount.run("dpu", "add", "--csv", "-", input=f"dpu_id\n{name}\n")
    assert result.returncode == 1 and result.stdout == "dpu_id,password\n"
    assert (site.broker.dir / "passwords").read_bytes() == before


def test_nobody_can_be_named_like_the_gateway_s_session(site, monkeypatch):
    """A client's id is its name: it would take the session over."""
    monkeypatch.setenv("HEADCOUNT_GATEWAY_CLIENT_ID", "north")
    before = (site.broker.dir / "passwords").read_bytes(), (site.broker.dir / "acl").read_bytes()
    for command in (("dpu", "add", "north", "--password"), ("dpu", "set", "north", "--password"), ("display", "add", "north")):
        result = site.headcount.run(*command)
        assert result.returncode == 1
        assert "needs another name" in result.stderr
    result = site.headcount.run("dpu", "add", "--csv", "-", input="dpu_id\nnorth\n")
    assert result.returncode == 1 and result.stdout == "dpu_id,password\n"
    assert before == ((site.broker.dir / "passwords").read_bytes(), (site.broker.dir / "acl").read_bytes())


def test_a_display_can_not_be_named_like_a_dpu_or_a_program(site):
    for name in ("423", "headcount-gateway", "lobby"):
        assert site.headcount.run("display", "add", name).returncode == 1
    for name in ("423", "headcount-gateway", "nobody"):
        assert site.headcount.run("display", "remove", name).returncode == 1
    for name in ("a\nuser b", "a/b", "+", ""):
        assert site.headcount.run("display", "add", name).returncode == 2


def test_a_name_with_a_colon_gets_no_password_and_takes_nobody_s(site, tmp_path):
    """mosquitto's password file ends a name at the first colon: the line of aa:bb would be one of aa."""
    before = (site.broker.dir / "passwords").read_bytes()
    for command in (("dpu", "add", "423:1", "--password"), ("display", "add", "lobby:1")):
        result = site.headcount.run(*command)
        assert result.returncode == 1 and "colon" in result.stderr
    result = site.headcount.run("dpu", "add", "--csv", "-", input="dpu_id\n00:1b:44:11:3a:b7\n")
    assert result.returncode == 1 and "colon" in result.stderr
    assert (site.broker.dir / "passwords").read_bytes() == before


def test_a_display_that_was_removed_leaves_the_rights_as_they_were(site):
    before = (site.broker.dir / "acl").read_text()
    site.headcount("display", "add", "hall")
    site.headcount("display", "add", "stairs")
    site.headcount("display", "remove", "hall")
    assert "user stairs" in (site.broker.dir / "acl").read_text()
    site.headcount("display", "remove", "stairs")
    assert (site.broker.dir / "acl").read_text() == before


# Many at once


def test_many_dpus_are_added_at_once_and_again_without_harm(site, tmp_path):
    site.headcount("space", "add", "mall")
    for number in range(3):
        site.headcount("doorway", "add", f"gate-{number}", "--space", "mall")
    rows = ["dpu_id,name,doorway,orientation,note"]
    rows += [f"many-{i},Sensor {i},{f'gate-{i}' if i < 3 else ''},{-1 if i == 1 else ''},x" for i in range(500)]
    file = tmp_path / "dpus.csv"
    file.write_text("\n".join(rows) + "\n")
    out = tmp_path / "passwords.csv"
    site.headcount("dpu", "add", "--csv", file, "--out", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    made = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["dpu_id"] for row in made] == [f"many-{i}" for i in range(500)]
    assert len({row["password"] for row in made}) == 500
    hung = {row["dpu"]: row["orientation"] for row in site.headcount.json("installation", "list")}
    assert {hung[f"many-{i}"] for i in (0, 2)} == {1} and hung["many-1"] == -1

    site.broker.reload()
    for row in (made[0], made[499]):
        with Client(site.broker, username=row["dpu_id"], password=row["password"], **site.broker.tls()):
            pass

    result = site.headcount.run("dpu", "add", "--csv", file)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "dpu_id,password\n"
    assert "0 DPUs added, 500 there already, 0 hung at a doorway, 0 passwords made, 0 refused" in result.stderr
    assert site.headcount.run("dpu", "add", "--csv", file, "--out", out).returncode == 1
    assert list(csv.DictReader(io.StringIO(out.read_text()))) == made


def test_a_bad_row_is_named_and_the_others_are_added(site):
    text = 'dpu_id,doorway\ngood-1,\nb/d,\ngood-2,nowhere\ngood-1,\n,\n"open\n'
    result = site.headcount.run("dpu", "add", "--csv", "-", input=text)
    assert result.returncode == 1
    assert [line.split(",")[0] for line in result.stdout.splitlines()] == ["dpu_id", "good-1", "good-2"]
    for where in ("-:3: b/d: dpu_id", "-:4: DPU good-2", "-:5: good-1: dpu_id", "-:6: : dpu_id", "-:7:"):
        assert where in result.stderr, result.stderr
    assert site.headcount.run("dpu", "add", "--csv", "-", input="id\n1\n").returncode == 1


# Files


def test_a_password_s_line_is_what_mosquitto_reads(site):
    lines = dict(
        line.split(":", 1) for line in (site.broker.dir / "passwords").read_text().splitlines()
    )
    for name, password in site.passwords.items():
        _, kind, iterations, salt, key = lines[name].split("$")
        assert kind == "7"
        derived = hashlib.pbkdf2_hmac(
            "sha512", password.encode(), base64.b64decode(salt), int(iterations)
        )
        assert base64.b64decode(key) == derived
    assert len(set(site.passwords.values())) == len(site.passwords)
    assert all(len(password) >= 24 for password in site.passwords.values())


def test_secrets_are_read_by_one_user_only(site):
    public = {"ca.crt", "server.crt", "https.crt", "mosquitto.conf", "broker.conf", "https.conf"}
    for path in site.broker.dir.iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o644 if path.name in public else 0o600), path
    if os.geteuid() == 0:
        mosquitto = pwd.getpwnam("mosquitto").pw_uid
        own = {path.name for path in site.broker.dir.iterdir() if path.stat().st_uid == mosquitto}
        assert own == {"acl", "passwords", "programs", "server.key"}


def test_no_secret_is_printed_by_the_setup(tmp_path):
    broker = SecuredBroker(tmp_path)
    result = broker.setup("--renew", "passwords")
    for name in PROGRAMS:
        assert broker.password(name) not in result.stdout + result.stderr
    text = b"".join(path.read_bytes() for path in (broker.dir / "passwords", broker.dir / "programs"))
    assert broker.password("headcount-ctl").encode() not in text


def contents(broker):
    return {path.name: path.read_bytes() for path in broker.dir.iterdir()}


def changed(before, after):
    return {name for name in after if after[name] != before.get(name)}


# What is derived from the programs' passwords gets new salts each time.
SALTED = {"passwords", "programs"}
SERVERS = {"server.crt", "server.key", "https.crt", "https.key"}


@pytest.mark.parametrize(
    "renew, files",
    [
        (None, set()),
        ("passwords", {f"{name}.password" for name in PROGRAMS}),
        ("certificate", SERVERS),
        ("authority", {"ca.crt", "ca.key"} | SERVERS),
        ("config", {"mosquitto.conf", "broker.conf"}),  # with other ports
    ],
)
def test_what_is_there_is_kept_unless_told_otherwise(tmp_path, renew, files):
    broker = SecuredBroker(tmp_path)
    before = contents(broker)
    broker.setup(*(["--renew", renew] if renew else []))
    assert changed(before, contents(broker)) - SALTED == files


def test_devices_keep_their_passwords_and_displays_their_rights_through_a_renewal(site):
    rights = (site.broker.dir / "acl").read_text()
    ports = [f"--{name}={port}" for name, port in site.broker.ports.items()]
    site.broker.setup("--renew", "passwords", "--renew", "config", *ports)
    assert (site.broker.dir / "acl").read_text() == rights
    for name in PROGRAMS:
        site.passwords[name] = site.broker.password(name)
    site.broker.restart()
    site.gateway.stop()
    site.gateway.start()
    for user in USERS:
        with Client(site.broker, **site.login(user)):
            pass


@pytest.mark.parametrize(
    "options",
    [
        ("--listen", "everywhere"),
        ("--listen", "eth0"),
        ("--name", "a,IP:10.0.0.1"),
        ("--name", ""),
        ("--renew", "everything"),
        ("--port", "0"),
        ("--tls-port", "65536"),
        ("--port", "x"),
        ("surplus",),
    ],
)
def test_a_wrong_option_writes_nothing(tmp_path, options):
    config = tmp_path / "nothing.conf"
    config.write_text("")
    result = Headcount(config).run("broker-setup", "--dir", tmp_path / "new", *options)
    assert result.returncode == 2, result.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("options", [("--listen", "0.0.0.0"), ("--tls-port", "1"), ("--name", "a.lan")])
def test_an_option_without_effect_is_refused(tmp_path, options):
    broker = SecuredBroker(tmp_path)
    before = contents(broker)
    result = broker.run_setup(*options)
    assert result.returncode == 2 and "--renew" in result.stderr
    assert contents(broker) == before


def test_without_a_setup_a_password_is_refused_before_anything_is_done(headcount, gateway, broker, tmp_path):
    config = tmp_path / "headcount.conf"
    groups = {"broker": {"host": "127.0.0.1", "port": broker.port, "access_dir": tmp_path / "none"}}
    write_config(config, groups, {})
    result = Headcount(config).run("dpu", "add", "423", "--password")
    assert result.returncode == 1 and "broker-setup" in result.stderr
    assert gateway.value("SELECT count(*) FROM dpu") == 0


def test_two_who_change_passwords_at_a_time_do_not_lose_any(site):
    import fcntl

    folder = os.open(site.broker.dir, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        result = site.headcount.run("dpu", "add", "late", "--password")
    finally:
        os.close(folder)
    assert result.returncode == 1 and "somebody else" in result.stderr
    site.headcount("dpu", "add", "late", "--password")
