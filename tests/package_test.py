"""The Debian package on a clean Debian 12: an operator's first hour with it by the README's words, under the systemd of that machine.

The tests run in the order in which they stand here: the machine is one, and in the end the package is removed from it.
"""

import ipaddress
import json
import re
import shlex
import shutil

import pytest

from doctor_test import machine as wrong_with_this_machine
from harness import SOURCE_DIR, bin_dir, wait_until
from machine import Machine, output_of, why_not

BUILD_DIR = bin_dir().parent
DAEMONS = ("headcount-gateway", "headcount-api")
# procps, for `systemctl reload mosquitto`, is there where Debian's installer was; the least that debootstrap makes lacks it.
BESIDE = ("mosquitto-clients", "curl", "procps")
SETUP = "/etc/mosquitto/headcount"  # what broker-setup writes, but for three files of configuration
CA = f"{SETUP}/ca.crt"
EVENT = '{"dpu_event_time": "2026-11-23T08:16:30Z", "count": 1}'


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
        made.fetch(f"/root/build/package/{package.name}", *BESIDE)
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


@pytest.fixture(scope="module")
def story(running):
    """The first crossing: {variable: secret} of what the README's words have shown, and the question that they end with."""
    running("apt install procps")
    words, question = words_of_readme("A space, a device with a password").strip().rsplit("\n", 1)
    shown = running(f"{words}\nprintf '\\n%s\\n%s\\n' \"$PASSWORD\" \"$TOKEN\"").splitlines()[-2:]
    return dict(zip(("PASSWORD", "TOKEN"), shown)), question


def ask(machine, story):
    """The README's question: how is space A?"""
    secrets, question = story
    variables = "".join(f"{name}={shlex.quote(secret)}\n" for name, secret in secrets.items())
    return json.loads(machine(variables + question.replace("curl ", "curl -sS ")))


def wait_counted(machine, story, count):
    wait_until(lambda: ask(machine, story)["count"] == count, message=lambda: f"{count} in A: {ask(machine, story)}")


def test_a_person_is_counted(running, story):
    wait_counted(running, story, 1)


def secrets_of(machine, story):
    """All that nobody else may know: what was shown to the operator, passwords of programs, the middle of keys."""
    passwords = machine(f"cat {SETUP}/*.password").split()
    keys = [key.splitlines()[2] for key in machine(f"cat {SETUP}/*.key").split("-----BEGIN PRIVATE KEY-----")[1:]]
    assert len(passwords) == len(keys) == 3
    return [*story[0].values(), *passwords, *keys]


def test_no_secret_is_anywhere_for_others_to_read(running, story):
    secrets = shlex.quote("\n".join(secrets_of(running, story)))
    running(f"printf %s {secrets} >/run/secrets; chmod 644 /run/secrets")
    search = "grep -rlsFf /run/secrets /etc /var /run /tmp /root"
    found = running(search).split()
    assert {f"{SETUP}/server.key", f"{SETUP}/https.key", f"{SETUP}/headcount-api.password"} < set(found)
    others = "setpriv --reuid nobody --regid nogroup --clear-groups "
    assert running.run(others + search).stdout.split() == ["/run/secrets"]
    running("rm /run/secrets")


def test_each_secret_is_for_one_user(running, story):
    listed = dict(line.split(" ", 1) for line in running(f"cd {SETUP}; stat -c '%n %U %a' *").splitlines())
    assert listed == {
        "ca.crt": "root 644",
        "server.crt": "root 644",
        "https.crt": "root 644",
        "ca.key": "root 600",
        "server.key": "mosquitto 600",
        "https.key": "headcount-api 600",
        "headcount-gateway.password": "headcount 600",
        "headcount-api.password": "headcount-api 600",
        "headcount-ctl.password": "root 600",
        "acl": "mosquitto 600",
        "passwords": "mosquitto 600",
        "programs": "mosquitto 600",
    }
    assert running("stat -c '%U:%G %a' /etc/headcount/tokens") == "root:headcount 640\n"


def test_the_journal_tells_no_secret(running, story):
    journal = running("journalctl --output export")
    for secret in secrets_of(running, story):
        assert secret not in journal
    assert "headcount-gateway" in journal and "mosquitto" in journal


def listeners(machine):
    """{(address, port)} of all that listens by TCP, in each process of the machine."""
    found = set()
    for line in machine("cat /proc/net/tcp /proc/net/tcp6").splitlines():
        fields = line.split()
        if fields[3] == "0A":  # TCP_LISTEN
            words, port = fields[1].split(":")
            # Words of 32 bits, as a little-endian machine has them.
            address = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
            found.add((ipaddress.ip_address(address), int(port, 16)))
    return found


def beyond_loopback(machine):
    return {port for address, port in listeners(machine) if not address.is_loopback}


def test_nothing_listens_beyond_loopback(running, story):
    assert {port for _, port in listeners(running)} == {1883, 8883, 8080}
    assert beyond_loopback(running) == set()


def publish(machine, *options):
    """Publishes an event of DPU 283 as somebody; what mosquitto_pub says, and its exit code."""
    words = shlex.join(["mosquitto_pub", *options, "-q", "1", "-t", "dpu/283/events", "-m", EVENT])
    result = machine.run(words)
    return result.stdout, result.returncode


LOCAL = ("-h", "localhost", "-p", "1883")
BY_TLS = ("-h", "localhost", "-p", "8883", "--cafile", CA)
STRANGERS = (
    (),
    ("-u", "283"),
    ("-u", "283", "-P", "283"),
    ("-u", "headcount-gateway"),
    *(("-u", name, "-P", name) for name in ("headcount-gateway", "headcount-api", "headcount-ctl", "admin", "mosquitto", "root")),
    ("-u", "admin", "-P", "password"),
)


@pytest.mark.parametrize("way", (LOCAL, BY_TLS), ids=("local", "tls"))
def test_the_broker_knows_no_default_password(running, story, way):
    for login in STRANGERS:
        said, code = publish(running, *way, *login)
        assert code != 0 and "not authorised" in said, (login, said)


def test_a_device_gets_in_by_tls_only(running, story):
    login = ("-u", "283", "-P", story[0]["PASSWORD"])
    assert publish(running, *BY_TLS, *login) == ("", 0)
    assert "not authorised" in publish(running, *LOCAL, *login)[0]
    assert publish(running, "-h", "localhost", "-p", "8883", *login)[1] != 0
    wait_counted(running, story, 2)


def status_of(machine, *options):
    """What the HTTP side answers; "000" is nothing."""
    words = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *options]
    return machine.run(shlex.join(words)).stdout


def test_the_http_side_knows_no_default_token(running, story):
    url = "https://localhost:8080/spaces/A"
    assert status_of(running, "--cacert", CA, url) == "401"
    for word in ("", "admin", "password", "headcount", "token", "office"):
        assert status_of(running, "--cacert", CA, "-H", f"Authorization: Bearer {word}", url) == "401"
    right = ("-H", f"Authorization: Bearer {story[0]['TOKEN']}")
    assert status_of(running, "--cacert", CA, *right, url) == "200"
    assert status_of(running, *right, url) == "000"  # nobody vouches for it but our authority
    assert status_of(running, *right, "http://localhost:8080/spaces/A") == "000"


def test_the_doctor_finds_nothing_wrong(running, story):
    report = json.loads(running.run("headcount doctor --json").stdout)
    wrong = {each["check"]: each["level"] for each in report["findings"] if each["level"] in ("warning", "error")}
    assert wrong == wrong_with_this_machine(), report  # they have one clock
    assert [each for each in report["findings"] if each["level"] == "unknown"] == []


def test_root_and_members_of_the_group_back_up(running, story):
    running("headcount backup /root/headcount.db")
    running("useradd -m -G headcount caretaker; useradd -m stranger")
    as_user = "setpriv --reuid {0} --regid {0} --init-groups headcount backup /home/{0}/headcount.db"
    running(as_user.format("caretaker"))
    assert running.run(as_user.format("stranger")).returncode == 1
    for path in ("/root", "/home/caretaker"):
        assert running(f"stat -c %a {path}/headcount.db") == "600\n"


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


def attempt(machine, name, script):
    """How a script ends that does something as a daemon's user, within its view of the file system and outside."""
    user = f"""setpriv --clear-groups --reuid "$(systemctl show -P User {name})" --regid "$(systemctl show -P Group {name})" """
    inside = f"nsenter --target {main_pid(machine, name)} --mount "
    return [machine.run(f"{view}{user} sh -c {shlex.quote(script)}").returncode == 0 for view in (inside, "")]


def test_the_http_side_tries_in_vain_to_write_facts(running):
    for script in (
        ": >>/var/lib/headcount/headcount.db",
        ": >>/var/lib/headcount/headcount.db-wal",
        ": >>/var/lib/headcount/another",
        "rm -f /var/lib/headcount/headcount.db-shm",
        "mv /var/lib/headcount/headcount.db /var/lib/headcount/away",
        ": >>/etc/headcount/tokens",
        "chmod 666 /var/lib/headcount/headcount.db",
    ):
        assert attempt(running, "headcount-api", script) == [False, False], script
    assert attempt(running, "headcount-api", ": </var/lib/headcount/headcount.db") == [True, True]
    assert attempt(running, "headcount-gateway", ": >>/var/lib/headcount/headcount.db") == [True, True]


def test_the_gateway_can_write_its_database(running):
    files = writable(running, "headcount-gateway")
    assert "/var/lib/headcount/headcount.db" in files
    elsewhere = [path for path in files if not path.startswith("/var/lib/headcount")]
    assert set(elsewhere) <= {"/dev/mqueue", "/dev/shm", "/run/lock", "/tmp", "/var/tmp"}


def test_a_password_that_only_root_may_read_comes_from_systemd(running):
    running(
        """
        umask 077
        mv /etc/mosquitto/headcount/headcount-gateway.password broker-password
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
    running("headcount broker-setup")  # makes what is missing, and lets in who has it
    running(
        """
        rm -r broker-password /etc/systemd/system/headcount-gateway.service.d
        systemctl daemon-reload
        systemctl restart mosquitto headcount-gateway
        """
    )


def test_a_daemon_that_dies_comes_back(running):
    for name in DAEMONS:
        before = main_pid(running, name)
        running(f"kill -KILL {before}")
        wait_until(
            lambda name=name, before=before: is_active(running, name) and main_pid(running, name) not in ("0", before),
            message=f"{name} is back",
        )


def test_who_is_told_to_listens_beyond_loopback(running, story):
    """The README's words for a broker that devices reach; its names are made up."""
    running("echo dpu_id >dpus.csv && seq 500 509 >>dpus.csv")
    running(words_of_readme("mosquitto.conf is for trying things out"))
    assert beyond_loopback(running) == {8883}
    made = running("cat passwords.csv").splitlines()
    assert len(made) == 11
    login = made[1].split(",")
    words = ["mosquitto_pub", *BY_TLS, "-u", login[0], "-P", login[1], "-q", "1", "-t", f"dpu/{login[0]}/events", "-m", EVENT]
    running(shlex.join(words))
    running("test $(stat -c %a passwords.csv) = 600")
    assert ask(running, story)["count"] == 2


def test_a_device_may_have_a_certificate(running, story):
    running("headcount broker-setup --renew config --certificates-port 8884 && systemctl restart mosquitto headcount-gateway")
    running("headcount broker-certificate 283")
    words = ("-h", "localhost", "-p", "8884", "--cafile", CA)
    assert publish(running, *words)[1] != 0
    assert publish(running, *words, "--cert", "283.crt", "--key", "283.key") == ("", 0)
    assert beyond_loopback(running) == set()


def test_a_proxy_may_speak_tls_instead(running, story):
    """And the HTTP side listens beyond loopback when it is told to."""
    site = "/etc/headcount/conf.d/site.conf"
    lines = "[api]\nbehind_tls=true\ncertificate_file=\nkey_file=\naddress=0.0.0.0\n"
    running(f"printf '{lines}' >{site}; systemctl restart headcount-api")
    right = ("-H", f"Authorization: Bearer {story[0]['TOKEN']}")
    assert status_of(running, *right, "http://localhost:8080/spaces/A") == "200"
    assert beyond_loopback(running) == {8080}
    running(f"rm {site}; systemctl restart headcount-api")
    assert ask(running, story)["count"] == 2
    assert beyond_loopback(running) == set()


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
    running("systemctl restart mosquitto")
    assert 8883 in {port for _, port in listeners(running)}
    running("apt purge headcount")
    running(f"! test -e /var/lib/headcount && ! test -e /etc/headcount && ! test -e {SETUP}")
    running("systemctl restart mosquitto")
    assert {port for _, port in listeners(running)} == {1883}
    assert beyond_loopback(running) == set()


def test_a_purge_leaves_to_mosquitto_what_somebodys_own_lines_need(running):
    running("apt install ./build/package/headcount_*.deb && headcount broker-setup")
    running(f"printf 'listener 8885 127.0.0.1\\nallow_anonymous false\\nacl_file {SETUP}/acl\\n' >/etc/mosquitto/conf.d/own.conf")
    running("apt purge headcount")
    running("systemctl restart mosquitto")
    assert {port for _, port in listeners(running)} == {1883, 8883, 8885}
