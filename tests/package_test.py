"""The Debian package on a clean Debian 12: what an operator does with it, under the systemd of that machine.

The tests run in the order in which they stand here: the machine is one, and in the end the package is removed from it.
"""

import json
import re
import shutil

import pytest

from harness import SOURCE_DIR, bin_dir, wait_until
from machine import Machine, output_of, why_not

BUILD_DIR = bin_dir().parent
DAEMONS = ("headcount-gateway", "headcount-api")
CHECKOUT = ("scripts/broker-config", "mosquitto.conf")  # what the README's words take from it


def words_of_readme(begin):
    """The commands that the README shows below a sentence: its next indented lines."""
    text = (SOURCE_DIR / "README.md").read_text()
    block = re.compile(r"(?: {4}.*\n)+").search(text, text.index(begin))
    return re.sub("^ {4}", "", block[0], flags=re.M).replace("sudo ", "")


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
        made.put(package, f"build/package/{package.name}")
        for name in CHECKOUT:
            made.put(SOURCE_DIR / name, name)
        made.fetch(f"/root/build/package/{package.name}", "mosquitto-clients", "curl")
        made.start()
        yield made


@pytest.fixture(scope="module")
def words():
    """How the README installs it: the command that does, and those that follow."""
    build, install, rest = words_of_readme("A machine of its own").split("\n", 2)
    assert build == "scripts/package"
    return install, rest


@pytest.fixture(scope="module")
def installed(machine, words):
    machine(words[0])
    return machine


@pytest.fixture(scope="module")
def running(installed, words):
    installed(words[1])
    return installed


def main_pid(machine, name):
    return machine(f"systemctl show -P MainPID {name}").strip()


def is_active(machine, name):
    return machine.run(f"systemctl is-active {name}").stdout.strip() == "active"


def test_lintian_has_nothing_to_say(built):
    assert re.findall(r"^[EW]: .*", built[1], re.M) == []


def test_the_programs_have_the_version_of_the_package(installed):
    version = installed("dpkg-query -W -f '${Version}' headcount")
    for name in ("headcount", *DAEMONS):
        assert installed(f"{name} --version") == f"{name} {version}\n"


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
    running("apt install mosquitto-clients curl")
    running(words_of_readme("A building of your own"))
    running("headcount token add office --scope read 2>/dev/null >token")

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


def test_a_password_that_only_root_may_read_comes_from_systemd(running):
    """Who logs in with a name and a password is let in by a broker that asks nobody for either: the daemon must have read it."""
    running(
        """
        umask 077
        echo secret >broker-password
        mkdir -p /etc/systemd/system/headcount-gateway.service.d
        cat >/etc/systemd/system/headcount-gateway.service.d/password.conf <<END
[Service]
LoadCredential=broker:/root/broker-password
Environment=HEADCOUNT_BROKER_USERNAME=headcount-gateway HEADCOUNT_BROKER_PASSWORD_FILE=%d/broker
END
        systemctl daemon-reload
        systemctl restart headcount-gateway
        """
    )
    assert is_active(running, "headcount-gateway")
    environment = running(f"tr '\\0' '\\n' </proc/{main_pid(running, 'headcount-gateway')}/environ")
    path = re.search("^HEADCOUNT_BROKER_PASSWORD_FILE=(.*)", environment, re.M)[1]
    assert running(f"stat -c '%U %a' {path}") == "headcount 400\n"


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
    running("apt install --reinstall ./build/package/headcount_*.deb")
    assert running("tail -n 1 /etc/headcount/headcount.conf") == "# changed\n"
    for name, pid in zip(DAEMONS, before):
        assert is_active(running, name)
        assert main_pid(running, name) != pid


def test_the_units_are_right_where_they_are_installed(installed):
    assert installed("systemd-analyze verify --man=no headcount-gateway.service headcount-api.service") == ""


def test_a_removal_keeps_the_counts_and_a_purge_does_not(running):
    running("apt remove headcount")
    for name in DAEMONS:
        assert not is_active(running, name)
    running("test -s /var/lib/headcount/headcount.db && test -e /etc/headcount/tokens")
    running("apt purge headcount")
    running("! test -e /var/lib/headcount && ! test -e /etc/headcount")
