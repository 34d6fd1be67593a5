"""The doctor: it finds nothing wrong with a system that is well, and in each that is damaged exactly what is wrong."""

import contextlib
import ctypes
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from certificates import Certificate, trust
from harness import Api, Broker, Gateway, Headcount, bin_dir, free_port, retained_topics, wait_until, write_config

UNKNOWN, WARNING, ERROR = "unknown", "warning", "error"


def machine():
    """What is wrong with this machine itself, asked in another way."""
    found = {}
    timex = (ctypes.c_char * 512)()
    state = ctypes.CDLL(None).adjtimex(timex)
    status = int.from_bytes(timex[40:44], sys.byteorder)  # after modes, offset, freq, maxerror, esterror
    if state < 0 or state == 5 or status & 0x40:
        found["clock"] = WARNING
    return found


def diagnose(config, *options):
    """{check: level} of all that is wrong, and the whole report."""
    result = Headcount(config).run("doctor", *options, "--json", timeout=60)
    report = json.loads(result.stdout)
    wrong = {}
    for finding in report["findings"]:
        if finding["level"] in (WARNING, ERROR):
            assert finding["remedy"], finding
            wrong.setdefault(finding["check"], finding["level"])
    assert result.returncode == (1 if wrong else 0), result
    assert report["healthy"] == (not wrong)
    return wrong, report["findings"]


def wrong_with(config, *options):
    wrong, _ = diagnose(config, *options)
    for check, level in machine().items():
        assert wrong.pop(check) == level
    return wrong


class System:
    """A whole system; `configured` gives the doctor another configuration, `copied` a database of its own."""

    def __init__(self, folder, broker, gateway, api):
        self.folder, self.broker, self.gateway, self.api = folder, broker, gateway, api
        self.serial = 0

    def fresh(self):
        self.serial += 1
        path = self.folder / f"case-{self.serial}"
        path.mkdir()
        return path

    def configured(self, settings=None, text=""):
        path = self.fresh() / "headcount.conf"
        groups = {
            "broker": {"host": "127.0.0.1", "port": self.broker.port},
            "store": {"database": self.gateway.database},
            "api": {"port": self.api.port, "token_file": self.api.token_file},
        }
        write_config(path, groups, settings or {})
        path.write_text(path.read_text() + text)
        return path

    def copied(self):
        """(configuration, database): the doctor is shown a copy that a test may damage."""
        database = self.fresh() / "headcount.db"
        with self.gateway.reading() as source, contextlib.closing(sqlite3.connect(database)) as copy:
            source.backup(copy)
        database.chmod(0o640)
        return self.configured({"store": {"database": database}}), database


@pytest.fixture(scope="module")
def well(tmp_path_factory):
    folder = tmp_path_factory.mktemp("well")
    with Broker(folder) as broker, Gateway(broker, folder) as gateway:
        headcount = Headcount(gateway.config)
        headcount("space", "add", "A")
        headcount("doorway", "add", "X", "--space", "A")
        headcount("dpu", "add", "423")
        headcount("installation", "add", "--dpu", "423", "--doorway", "X", "--from", "2026-01-01")
        for path in gateway.folder.glob("headcount.db*"):
            path.chmod(0o640)
        with Api(gateway, folder) as api:
            api.wait_connected()
            api.add_token("read")
            wait_until(lambda: f"gateway/{gateway.client_id}/health" in retained_topics(broker, "gateway/#"))
            yield System(folder, broker, gateway, api)


def test_nothing_is_wrong_with_a_system_that_is_well(well):
    wrong, findings = diagnose(well.configured(), "--deep")
    assert wrong == machine(), findings
    assert [finding for finding in findings if finding["level"] == UNKNOWN] == []


def test_people_are_told_in_lines(well):
    config = well.configured({"api": {"port": free_port()}})
    result = Headcount(config).run("doctor")
    assert result.returncode == 1 and result.stderr == ""
    lines = result.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("warning  http "))
    assert "-> systemctl start headcount-api" in lines[at + 1]
    assert "1 warnings" in lines[-1] or "2 warnings" in lines[-1]


# The configuration and what is secret: what is shown to the doctor is damaged, the system runs on.


def test_a_configuration_that_is_wrong_is_the_one_finding(well):
    for config in (well.configured(text="[broker]\nhots=there\n"), well.folder / "nowhere.conf"):
        wrong, findings = diagnose(config)
        wrong.pop("clock", None)
        assert wrong == {"configuration": ERROR}
        assert sum(finding["level"] == UNKNOWN for finding in findings) > 10


@pytest.mark.parametrize("mode, expected", [(0o600, {}), (0o640, {}), (0o644, {"secrets": ERROR}), (0o602, {"secrets": ERROR})])
def test_tokens_are_for_nobody_else_to_read(well, mode, expected):
    tokens = well.fresh() / "tokens"
    shutil.copy(well.api.token_file, tokens)
    tokens.chmod(mode)
    assert wrong_with(well.configured({"api": {"token_file": tokens}})) == expected


def test_a_password_is_for_nobody_else_to_read(well):
    password = well.fresh() / "password"
    password.write_text("secret\n")
    password.chmod(0o644)
    config = well.configured({"broker": {"username": "headcount-ctl", "password_file": password}})
    assert wrong_with(config) == {"secrets": ERROR, "broker": ERROR}


def test_a_password_that_is_not_there_is_named(well):
    config = well.configured({"broker": {"username": "headcount-ctl", "password_file": "/nowhere/password"}})
    assert wrong_with(config) == {"secrets": ERROR, "broker": ERROR}


def test_a_name_without_a_password_is_suspicious(well):
    assert wrong_with(well.configured({"broker": {"username": "headcount-ctl"}})) == {"secrets": WARNING}


# The database


def damaged(database, *statements):
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def remove(database):
    database.unlink()


def overwrite(database):
    """A page in use, of a table that nothing else of this looks into."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'doorway_effect_space'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with open(database, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def grow_wal(database):
    with open(f"{database}-wal", "wb") as file:
        file.truncate(300 << 20)


REJECTED = (
    "INSERT INTO rejected_event (reason, topic, dpu_id, item, item_digest, item_size, event_received_time,"
    " last_received_time) VALUES ('{}', 'dpu/7/events', '7', x'00', x'00', 1, 1, 1)"
)

DATABASES = {
    "untouched": (lambda database: None, {}),
    "missing": (remove, {"database": ERROR}),
    "newer": (lambda database: damaged(database, "PRAGMA user_version = 999"), {"database": ERROR}),
    "another program's": (lambda database: damaged(database, "PRAGMA application_id = 1"), {"database": ERROR}),
    "no database": (lambda database: database.write_bytes(b"A" * 8192), {"database": ERROR}),
    "read-only": (lambda database: database.chmod(0o440), {"database": ERROR}),
    "in a read-only folder": (lambda database: database.parent.chmod(0o555), {"database": ERROR}),
    "for all to read": (lambda database: database.chmod(0o644), {"database": ERROR}),
    "a corrupt page": (overwrite, {"integrity": ERROR}),
    "a huge WAL": (grow_wal, {"wal": WARNING}),
    "rejected events": (lambda database: damaged(database, REJECTED.format("malformed")), {"rejected": WARNING}),
    "a clock ahead": (lambda database: damaged(database, REJECTED.format("clock_ahead")), {"dpu-clocks": WARNING}),
}


@pytest.mark.parametrize("name", DATABASES)
def test_of_a_damaged_database_the_damage_is_found(well, name):
    damage, expected = DATABASES[name]
    config, database = well.copied()
    damage(database)
    try:
        assert wrong_with(config) == expected
    finally:
        database.parent.chmod(0o755)


def test_a_count_that_is_wrong_is_found_by_a_deep_look(well):
    config, database = well.copied()
    damaged(database, "UPDATE occupancy_now SET count = 5")
    assert wrong_with(config) == {}
    assert wrong_with(config, "--deep") == {"counts": ERROR}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_beside_the_database_is_found(well):
    config, database = well.copied()
    wal = database.with_name("headcount.db-wal")
    wal.touch()
    os.chown(wal, 12345, -1)
    assert wrong_with(config) == {"database": ERROR}


def test_a_disk_that_is_nearly_full_is_found(well):
    config, database = well.copied()
    script = (
        f"cp {database} {config.parent}/kept && mount -t tmpfs -o size=2m tmpfs {database.parent} &&"
        f" cp -p {config.parent}/kept {database} && chmod 640 {database} && exec {bin_dir()}/headcount -c {config} doctor"
    )
    result = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1, result
    wrong = [line.split()[:2] for line in result.stdout.splitlines() if line.startswith((WARNING, ERROR))]
    expected = [[ERROR, "disk"], [WARNING, "file-system"]] + [[level, check] for check, level in machine().items()]
    assert sorted(wrong) == sorted(expected)


# The broker, the gateway and the HTTP side


def test_an_http_side_that_is_down_is_found(well):
    assert wrong_with(well.configured({"api": {"port": free_port()}})) == {"http": WARNING}


def test_a_port_that_speaks_something_else_is_no_finding(well):
    wrong, findings = diagnose(well.configured({"api": {"port": well.broker.port}}))
    (http,) = [finding for finding in findings if finding["check"] == "http"]
    assert http["level"] == UNKNOWN and "http" not in wrong


@pytest.mark.parametrize("days, expected", [(90, {}), (5, {"http": WARNING})])
def test_an_http_side_with_tls_is_asked_by_tls(well, days, expected):
    folder = well.fresh()
    certificate = Certificate(folder, "https", days)
    settings = {"api": {"certificate_file": certificate.path, "key_file": certificate.key}}
    with Api(well.gateway, folder, settings, trust(certificate)) as api:
        api.wait_connected()
        config = well.configured({"api": {"port": api.port, **settings["api"]}})
        wrong, findings = diagnose(config)
        wrong.pop("clock", None)
        assert wrong == expected
        assert "it says that it is ready" in [each["found"] for each in findings if each["check"] == "http"]


def test_an_http_side_without_the_tls_that_is_configured_is_found(well):
    certificate = Certificate(well.fresh(), "https")
    config = well.configured({"api": {"certificate_file": certificate.path, "key_file": certificate.key}})
    assert wrong_with(config) == {"http": WARNING}


def test_a_login_without_rights_is_found(well):
    wrong = wrong_with(well.configured({"broker": {"username": "stranger"}}))
    assert wrong == {"secrets": WARNING, "gateway": ERROR, "rights": ERROR}


def test_a_gateway_of_another_name_is_not_there(well):
    assert wrong_with(well.configured({"gateway": {"client_id": "other"}})) == {"gateway": ERROR}


@pytest.fixture
def ailing(tmp_path):
    """A system for a test to stop parts of."""
    with Broker(tmp_path) as broker, Gateway(broker, tmp_path) as gateway:
        for path in gateway.folder.glob("headcount.db*"):
            path.chmod(0o640)
        with Api(gateway, tmp_path) as api:
            api.wait_connected()
            yield System(tmp_path, broker, gateway, api)


def test_a_gateway_that_is_down_is_found(ailing):
    config = ailing.configured()
    ailing.gateway.stop()
    wait_until(lambda: ailing.api.get("/readyz").status == 503)
    assert wrong_with(config) == {"gateway": ERROR, "rights": ERROR, "http": ERROR}


def test_a_broker_that_is_down_is_found_and_the_rest_looked_at(ailing):
    config = ailing.configured()
    ailing.broker.stop()
    wait_until(lambda: ailing.api.get("/readyz").status == 503)
    wrong, findings = diagnose(config)
    wrong.pop("clock", None)
    assert wrong == {"broker": ERROR, "http": ERROR}
    levels = {finding["check"]: finding["level"] for finding in findings}
    assert levels["gateway"] == levels["rights"] == UNKNOWN
    assert levels["database"] == levels["integrity"] == "ok"


def test_with_everything_down_it_reports(tmp_path):
    config = tmp_path / "headcount.conf"
    config.write_text(f"[broker]\nport=1\n[store]\ndatabase={tmp_path}/nowhere/headcount.db\n[api]\nport=2\n")
    wrong, findings = diagnose(config)
    wrong.pop("clock", None)
    assert wrong == {"broker": ERROR, "database": ERROR, "http": WARNING, "disk": ERROR, "file-system": ERROR}


def broker_findings(broker, folder, **settings):
    """The findings that concern the broker, of a doctor that knows nothing but it."""
    config = folder / "doctor.conf"
    groups = {"broker": {"host": "127.0.0.1", "port": broker.port}, "store": {"database": folder / "headcount.db"}}
    write_config(config, groups, {"broker": settings})
    _, findings = diagnose(config)
    return {
        (finding["check"], finding["level"], finding["found"].split()[0])
        for finding in findings
        if finding["check"] in ("broker", "broker-settings", "tls") and finding["level"] in (WARNING, ERROR)
    }


SETTINGS = {
    "as headcount's": ({}, [], set()),
    "no persistence": ({"persistence": "false"}, [], {("broker-settings", ERROR, "the")}),
    "a short queue": ({"max_queued_messages": None}, [], {("broker-settings", WARNING, "max_queued_messages")}),
    "few bytes": ({"max_queued_bytes": "1000000"}, [], {("broker-settings", WARNING, "max_queued_bytes")}),
    "a small window": ({"max_inflight_messages": None}, [], {("broker-settings", WARNING, "max_inflight_messages")}),
    "saved each half hour": ({"autosave_interval": None}, [], {("broker-settings", WARNING, "autosave_interval")}),
    "small packets": ({"max_packet_size": "5000"}, [], {("broker-settings", WARNING, "max_packet_size")}),
    "the trap": ({}, ["message_size_limit 65536"], {("broker-settings", WARNING, "message_size_limit")}),
    "open to the world": ({}, ["listener {port}"], {("broker-settings", ERROR, "the")}),
    "open by websockets": ({"socket_domain": None}, [], {("broker-settings", ERROR, "the")}),
    "open with passwords": ({"allow_anonymous": "false"}, ["listener {port}"], {("broker", ERROR, "the")}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_wrong_with_the_broker_s_settings_is_found(name, tmp_path):
    replace, lines, expected = SETTINGS[name]
    lines = [line.format(port=free_port()) for line in lines]
    with Broker(tmp_path, settings=lines, replace=replace) as broker:
        assert broker_findings(broker, tmp_path) == expected


def test_settings_in_a_folder_of_their_own_are_read_too(tmp_path):
    included = tmp_path / "mosquitto.d"
    included.mkdir()
    (included / "more.conf").write_text("message_size_limit 1000\n")
    with Broker(tmp_path, settings=[f"include_dir {included}"]) as broker:
        assert broker_findings(broker, tmp_path) == {("broker-settings", WARNING, "message_size_limit")}


@contextlib.contextmanager
def called_mosquitto(folder, config, user):
    """A process of the user that says it were a broker with that configuration."""
    script = folder / "script"
    script.write_text("printf mosquitto >/proc/$$/comm\necho ready\nread line\n")
    command = ["sh", str(script), "-c", str(config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=user) as process:
        assert process.stdout.readline() == b"ready\n"
        yield
        process.stdin.close()


@pytest.fixture
def open_folder():
    """One that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def found_broker(port, folder):
    """What the doctor finds of the settings of a broker that should be at the port."""
    config = folder / "doctor.conf"
    write_config(config, {"broker": {"host": "127.0.0.1", "port": port}, "store": {"database": folder / "headcount.db"}}, {})
    _, findings = diagnose(config)
    return {finding["level"] for finding in findings if finding["check"] == "broker-settings"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("user, expected", [("root", {ERROR, WARNING}), ("mosquitto", {ERROR, WARNING}), ("nobody", {UNKNOWN})])
def test_root_believes_the_broker_s_process_and_none_of_somebody_else(user, expected, open_folder, tmp_path):
    port = free_port()
    settings = open_folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\npersistence false\n")
    with called_mosquitto(open_folder, settings, user):
        assert found_broker(port, tmp_path) == expected


@pytest.mark.parametrize("what", ["a pipe", "too long"])
def test_settings_that_are_no_ordinary_file_are_not_read(what, open_folder, tmp_path):
    port = free_port()
    settings = open_folder / "mosquitto.conf"
    if what == "a pipe":
        os.mkfifo(settings)
    else:
        settings.write_text(f"listener {port} 127.0.0.1\n" + "#\n" * 1_000_000)
    with called_mosquitto(open_folder, settings, os.geteuid()):
        assert found_broker(port, tmp_path) == {UNKNOWN}


def test_a_wrong_password_is_found(tmp_path):
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(passwords), "headcount-ctl", "right"], check=True)
    passwords.chmod(0o644)  # for the broker, whoever it runs as
    given = tmp_path / "password"
    with Broker(tmp_path, settings=[f"password_file {passwords}"]) as broker:
        for word, expected in (("right", set()), ("wrong", {("broker", ERROR, "the")})):
            given.write_text(word)
            given.chmod(0o600)
            assert broker_findings(broker, tmp_path, username="headcount-ctl", password_file=given) == expected


def make_certificate(folder, days):
    key, certificate = folder / "server.key", folder / "server.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(key), "-out", str(certificate), "-days", str(days), "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )
    key.chmod(0o600)
    return key, certificate


@pytest.mark.parametrize("days, expected", [(90, set()), (5, {("tls", WARNING, "the")})])
def test_a_certificate_that_ends_soon_is_found(days, expected, tmp_path):
    key, certificate = make_certificate(tmp_path, days)
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}"]
    with Broker(tmp_path, settings=lines) as broker:
        broker.port = port
        assert broker_findings(broker, tmp_path, ca_file=certificate) == expected
        key.chmod(0o644)
        assert broker_findings(broker, tmp_path, ca_file=certificate) == expected | {("broker-settings", ERROR, "everybody")}


class LimitedBroker(Broker):
    def command(self):
        return ["prlimit", "--nofile=150", *super().command()]


@pytest.mark.parametrize("dpus, expected", [(10, set()), (100, {ERROR})])
def test_a_broker_that_may_not_have_enough_connections_is_found(well, dpus, expected, tmp_path):
    _, database = well.copied()
    damaged(database, *(f"INSERT INTO dpu (dpu_id) VALUES ('{number}')" for number in range(dpus)))
    with LimitedBroker(tmp_path) as broker:
        config = tmp_path / "doctor.conf"
        write_config(config, {"broker": {"host": "127.0.0.1", "port": broker.port}, "store": {"database": database}}, {})
        _, findings = diagnose(config)
    assert {f["level"] for f in findings if f["check"] == "open-files" and f["level"] == ERROR} == expected
