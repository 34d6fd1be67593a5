"""The Debian package on a clean Debian 12: what an operator does with it, under the systemd of that machine.

The tests run in the order in which they stand here: the machine is one, and in the end the package is removed from it.
"""

import json
import re
import shutil
import subprocess

import pytest

from harness import SOURCE_DIR, bin_dir, wait_until
from machine import Machine, output_of, why_not

BUILD_DIR = bin_dir().parent
DAEMONS = ("headcount-gateway", "headcount-api")


@pytest.fixture(scope="module")
def built():
    """The folder of the package, and what was said while it was built."""
    folder = BUILD_DIR / "package"
    said = output_of(SOURCE_DIR / "scripts" / "package", "--no-install", folder)
    return folder, said


@pytest.fixture(scope="module")
def machine(built):
    """A Debian with the package lying in root's folder, and nothing installed yet."""
    if why_not():
        pytest.exit(f"package_test: {why_not()}", returncode=77)
    folder = BUILD_DIR / "machine"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with Machine(folder) as made:
        (package,) = built[0].glob("headcount_*.deb")
        made.put(package, "/root/headcount.deb")
        made.fetch("/root/headcount.deb", "mosquitto", "mosquitto-clients", "curl")
        made.start()
        yield made


@pytest.fixture(scope="module")
def installed(machine):
    machine("apt-get install -y ./headcount.deb mosquitto-clients curl")
    return machine


@pytest.fixture(scope="module")
def running(installed):
    set_up_broker(installed)
    installed("systemctl restart mosquitto")
    installed("systemctl start headcount-gateway headcount-api")
    return installed


def set_up_broker(machine):
    configuration = output_of(
        SOURCE_DIR / "scripts/broker-config", "--data", "/var/lib/mosquitto", "--acl", "/etc/headcount/mosquitto.acl"
    )
    (machine.root / "etc/mosquitto/mosquitto.conf").write_text(configuration)


def main_pid(machine, name):
    return machine(f"systemctl show -P MainPID {name}").strip()


def is_active(machine, name):
    return machine.run(f"systemctl is-active {name}").stdout.strip() == "active"


def test_lintian_has_nothing_to_say(built):
    assert re.findall(r"^[EW]: .*", built[1], re.M) == []


def test_the_configuration_belongs_to_the_operator(installed):
    listed = installed("dpkg-query -W -f '${Conffiles}' headcount").split()[::2]
    assert listed == ["/etc/headcount/headcount.conf", "/etc/headcount/mosquitto.acl"]
    printed = installed("headcount-gateway --print-config")
    assert installed("cat /etc/headcount/headcount.conf") == printed


def test_an_installation_makes_users_and_starts_nothing(installed):
    assert installed("id -nG headcount-api").split() == ["headcount-api", "headcount"]
    for name in DAEMONS:
        assert installed(f"systemctl is-enabled {name}").strip() == "enabled"
        assert not is_active(installed, name)


def test_a_person_is_counted(running):
    running(
        """
        headcount space add A --timezone Europe/Berlin --capacity 80
        headcount doorway add X --space A
        headcount dpu add 283
        headcount installation add --dpu 283 --doorway X --from 2026-01-01
        mosquitto_pub -q 1 -t dpu/283/events -m '{"dpu_event_time": "2026-11-23T08:15:30.125Z", "count": 1}'
        headcount token add office --scope read 2>/dev/null >token
        """
    )

    def answer():
        return json.loads(running('curl -sS -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/spaces/A'))

    wait_until(lambda: answer()["count"] == 1, message=lambda: f"one person in A: {answer()}")
    assert running("curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/spaces/A") == "401"


def test_systemd_knows_how_they_are(running):
    for name in DAEMONS:
        assert running(f"systemctl show -P StatusText {name}").strip() == "working"


def test_a_reload_is_no_restart(running):
    for name in DAEMONS:
        before = main_pid(running, name)
        running(f"systemctl reload {name}")
        wait_until(
            lambda name=name: "configuration: " in running(f"journalctl -o cat -u {name}"),
            message=f"{name} says that it has read its configuration",
        )
        assert main_pid(running, name) == before


def test_the_daemons_are_confined(running):
    for name in DAEMONS:
        status = running(f"cat /proc/{main_pid(running, name)}/status")
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status
        assert re.findall(r"Cap\w+:\t(\w+)", status) == ["0" * 16] * 5


def writable(machine, name):
    """The files and folders that a daemon could write, as its user and as it sees the file system."""
    return machine(
        f"""
        nsenter --target {main_pid(machine, name)} --mount setpriv --clear-groups \\
            --reuid "$(systemctl show -P User {name})" --regid "$(systemctl show -P Group {name})" \\
            find / -path /proc -prune -o '(' -type f -o -type d ')' -writable -print 2>/dev/null || true
        """
    ).split()


def test_the_http_side_can_write_nothing(running):
    assert writable(running, "headcount-api") == []


def test_the_gateway_can_write_its_database(running):
    files = writable(running, "headcount-gateway")
    assert "/var/lib/headcount/headcount.db" in files
    elsewhere = [path for path in files if not path.startswith("/var/lib/headcount")]
    assert set(elsewhere) <= {"/dev/mqueue", "/dev/shm", "/run/lock", "/tmp", "/var/tmp"}


def test_a_daemon_that_dies_comes_back(running):
    for name in DAEMONS:
        before = main_pid(running, name)
        running(f"kill -KILL {before}")
        wait_until(
            lambda name=name, before=before: is_active(running, name) and main_pid(running, name) not in ("0", before),
            message=f"{name} is back",
        )


def test_an_upgrade_restarts_what_runs_and_keeps_what_was_changed(running):
    running("echo '# changed' >>/etc/headcount/headcount.conf")
    before = [main_pid(running, name) for name in DAEMONS]
    running("apt-get install -y --reinstall ./headcount.deb")
    assert running("tail -n 1 /etc/headcount/headcount.conf") == "# changed\n"
    for name, pid in zip(DAEMONS, before):
        assert is_active(running, name)
        assert main_pid(running, name) != pid


def test_the_units_are_right_where_they_are_installed(installed):
    assert installed("systemd-analyze verify --man=no headcount-gateway.service headcount-api.service") == ""


def test_a_removal_keeps_the_counts_and_a_purge_does_not(running):
    running("apt-get remove -y headcount")
    for name in DAEMONS:
        assert not is_active(running, name)
    running("test -s /var/lib/headcount/headcount.db && test -e /etc/headcount/tokens")
    running("apt-get purge -y headcount")
    running("! test -e /var/lib/headcount && ! test -e /etc/headcount")
