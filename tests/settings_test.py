"""The configuration as the operator of a system meets it: files, drop-ins, variables, secrets."""

import os
import signal
import subprocess

import pytest

from harness import SANITIZER_ENVIRONMENT, Gateway, Headcount, bin_dir, retained_topics

PROGRAMS = {
    "headcount-gateway": (["--check-config"], os.EX_CONFIG),
    "headcount-api": (["--check-config"], os.EX_CONFIG),
    "headcount": (["config"], 2),
}


def drop_in(daemon, name, text):
    folder = daemon.config.parent / "conf.d"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)


def run(program, *arguments, **variables):
    return subprocess.run(
        [bin_dir() / program, *map(str, arguments)],
        env={**os.environ, **SANITIZER_ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def configuration(tmp_path):
    """A file that is right for all programs."""
    path = tmp_path / "headcount.conf"
    path.write_text(f"[store]\ndatabase={tmp_path}/headcount.db\n[api]\ntoken_file={tmp_path}/tokens\n")
    return path


# Layers


def test_a_daemon_obeys_drop_ins_and_variables(broker, tmp_path, monkeypatch):
    gateway = Gateway(broker, tmp_path)
    gateway.configure({"broker": {"port": 1}, "gateway": {"client_id": "in-the-file"}})
    drop_in(gateway, "10-broker.conf", f"[broker]\nport={broker.port}\n[gateway]\nclient_id=in-the-drop-in\n")
    monkeypatch.setenv("HEADCOUNT_GATEWAY_CLIENT_ID", "in-a-variable")
    gateway.client_id = "in-a-variable"
    with gateway:
        seen = retained_topics(broker, "gateway/+/status")
        assert seen == {"gateway/in-a-variable/status": "online"}
        rows = Headcount(gateway.config).json("config")
    said = {(row["group"], row["key"]): (row["value"], row["source"]) for row in rows}
    folder = gateway.config.parent
    assert said["gateway", "client_id"] == ("in-a-variable", "HEADCOUNT_GATEWAY_CLIENT_ID")
    assert said["broker", "port"] == (str(broker.port), str(folder / "conf.d" / "10-broker.conf"))
    assert said["store", "database"] == (str(gateway.database), str(gateway.config))
    assert said["gateway", "batch_items"] == ("20000", "default")


def test_sighup_reads_drop_ins_again_and_says_what_waits(gateway):
    drop_in(gateway, "20-other.conf", "[log]\nformat=json\n[broker]\nport=1\n")
    gateway.signal(signal.SIGHUP)
    waiting = "configuration: changed, but not in force before a restart: [broker] port\n"
    gateway.wait_for(lambda: waiting in gateway.log(), 30, "it says what waits")
    gateway.signal(signal.SIGHUP)
    gateway.wait_for(lambda: '"message":"[log] is read again"' in gateway.log(), 30, "a line of JSON")


def test_a_wrong_drop_in_changes_nothing(gateway):
    drop_in(gateway, "20-log.conf", "[log]\nlevel=error\n")
    drop_in(gateway, "30-wrong.conf", "[log]\nlevle=debug\n")
    gateway.signal(signal.SIGHUP)
    wrong = "conf.d/30-wrong.conf: [log] levle: no such key; did you mean level in [log]?; nothing is changed"
    gateway.wait_for(lambda: wrong in gateway.log(), 30, "it says what is wrong")
    (gateway.config.parent / "conf.d" / "30-wrong.conf").unlink()
    gateway.signal(signal.SIGHUP)
    gateway.wait_for(lambda: "is read again" in gateway.log(), 30, "it is right now")


def test_config_is_a_table_for_people(configuration):
    lines = run("headcount", "--config", configuration, "config").stdout.splitlines()
    assert lines[0].split() == ["GROUP", "KEY", "VALUE", "FROM"]
    assert ["broker", "port", "1883", "default"] in [line.split() for line in lines]
    # Wherever the option stands.
    other = configuration.with_name("other.conf")
    other.write_text("[broker]\nport=4711\n")
    behind = run("headcount", "--config", configuration, "config", "--config", other).stdout
    assert ["broker", "port", "4711"] in [line.split()[:3] for line in behind.splitlines()]


# What is wrong


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("variable", "says"),
    [
        ("HEADCOUNT_BROKER_HOTS", "did you mean HEADCOUNT_BROKER_HOST?"),
        ("HEADCOUNT_BROKER_PASSWORD", "did you mean HEADCOUNT_BROKER_PASSWORD_FILE?"),
        ("HEADCOUNT_BROKER_PORT", "must be a number from 1 to 65535"),
    ],
)
def test_a_wrong_variable_is_refused_by_all_programs(configuration, program, variable, says):
    arguments, code = PROGRAMS[program]
    assert run(program, "--config", configuration, *arguments).returncode == 0
    ended = run(program, "--config", configuration, *arguments, **{variable: "s3cret"})
    assert ended.returncode == code
    assert f"{variable}: " in ended.stderr
    assert says in ended.stderr


@pytest.mark.parametrize("program", ["headcount-gateway", "headcount-api"])
def test_a_password_that_everybody_may_read_is_refused(configuration, program, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    check = ("--config", configuration, "--check-config")
    for mode, code in ((0o644, os.EX_CONFIG), (0o640, 0), (0o400, 0)):
        secret.chmod(mode)
        ended = run(program, *check, HEADCOUNT_BROKER_PASSWORD_FILE=str(secret))
        assert ended.returncode == code, (oct(mode), ended.stderr)
        assert ("chmod o-rwx" in ended.stderr) == (code != 0)
        assert "s3cret" not in ended.stdout + ended.stderr
