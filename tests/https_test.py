"""TLS: by headcount-api itself, with certificates that change under way; and by nginx in front of it, with the site of
config/nginx.conf."""

import contextlib
import copy
import getpass
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from certificates import Certificate, shown_by, socket_to, trust
from doors import make_space
from harness import SOURCE_DIR, Api, Daemon, bin_dir, free_port, port_open, wait_until
from http_test import samples
from live_test import Stream, is_count, walk
from session_test import OURS, cookie_of, log_in

EX_CONFIG = 78
YEAR = "max-age=31536000"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Some that one may trust, by their names."""
    folder = tmp_path_factory.mktemp("certificates")
    return {name: Certificate(folder, name) for name in ("first", "second")}


def in_use(folder):
    """Where a server has its certificate and key."""
    return {"certificate_file": folder / "server.pem", "key_file": folder / "server.key"}


def install(certificate, folder):
    """Puts a certificate where it is used, as certbot does: whole files in one go, one after the other."""
    for source, name in ((certificate.key, "server.key"), (certificate.path, "server.pem")):
        new = folder / (name + ".new")
        shutil.copy(source, new)
        new.chmod(0o640)
        new.rename(folder / name)


@pytest.fixture
def api(system, certificates, tmp_path):
    """An api that speaks TLS, with the first certificate."""
    install(certificates["first"], tmp_path)
    settings = {"api": {**in_use(tmp_path), "timeout_s": 5}}
    with Api(system.gateway, tmp_path, settings, trust(*certificates.values())) as running:
        running.wait_connected()
        yield running


# By itself


def test_it_speaks_tls_and_nothing_else(api):
    answer = api.get("/spaces")
    assert answer.status == 200
    assert answer.headers.get_all("Strict-Transport-Security") == [YEAR]
    assert "with TLS" in api.log()
    plain = copy.copy(api)
    plain.trust = None
    with pytest.raises((OSError, http.client.HTTPException)):
        plain.get("/healthz")


def test_without_tls_nobody_is_told_to_come_by_tls(system):
    assert "Strict-Transport-Security" not in system.get("/spaces").headers


def test_how_long_browsers_remember_is_the_operators_to_say(system, certificates, tmp_path):
    install(certificates["first"], tmp_path)
    for seconds, said in ((0, None), (60, ["max-age=60"])):
        settings = {"api": {**in_use(tmp_path), "hsts_s": seconds}}
        with Api(system.gateway, tmp_path, settings, trust(*certificates.values())) as api:
            assert api.get("/healthz").headers.get_all("Strict-Transport-Security") == said


def test_the_cookie_never_goes_without_tls(api):
    assert cookie_of(log_in(api, api.add_token("read")))["Secure"] is None


def handshake(api, **options):
    """The version and cipher that a client with such a context gets; None if they can't agree."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "ciphers" in options:
        context.set_ciphers(options["ciphers"])
    context.minimum_version = options.get("least", ssl.TLSVersion.TLSv1_2)
    context.maximum_version = options.get("most", ssl.TLSVersion.TLSv1_3)
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        with socket_to(api.port, context) as connection:
            return connection.version(), connection.cipher()[0]
    return None


def test_only_what_is_safe_today_is_agreed_on(api):
    assert handshake(api)[0] == "TLSv1.3"
    only_1_2 = {"most": ssl.TLSVersion.TLSv1_2}
    assert handshake(api, **only_1_2)[0] == "TLSv1.2"
    for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
        assert handshake(api, **only_1_2, ciphers=cipher) == ("TLSv1.2", cipher)
    for weak in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256:@SECLEVEL=0"):
        assert handshake(api, **only_1_2, ciphers=weak) is None, weak
    with pytest.warns(DeprecationWarning):
        old = {"least": ssl.TLSVersion.TLSv1, "most": ssl.TLSVersion.TLSv1_1, "ciphers": "ALL:@SECLEVEL=0"}
        assert handshake(api, **old) is None


def wait_shown(api, certificate):
    wait_until(lambda: shown_by(api.port, api.trust) == certificate.name, message=f"{certificate.name} is shown")


@pytest.mark.parametrize("told", [False, True])
def test_a_new_certificate_is_taken_and_no_connection_ends(api, certificates, tmp_path, told):
    make_space(api, f"kept-{told}")
    assert shown_by(api.port, api.trust) == "first"
    with contextlib.closing(api.connect()) as kept, Stream(api, f"?space=kept-{told}") as stream:
        assert api.get("/healthz", connection=kept).status == 200
        assert stream.next()[2]["count"] == 0
        before = kept.sock
        install(certificates["second"], tmp_path)
        if told:
            api.signal(signal.SIGHUP)
        wait_shown(api, certificates["second"])
        assert api.get("/healthz", connection=kept).status == 200
        assert kept.sock is before, "still the same connection"
        enter(api, f"kept-{told}")
        assert stream.until(is_count(f"kept-{told}", 1))
    assert "certificate: read again" in api.log()


def enter(api, name):
    """Somebody enters the space, by HTTP."""
    event = {"dpu_event_time": "2020-01-01T00:00:00Z", "count": 1}
    assert api.request("PUT", f"/dpus/{name}-dpu", event, token=api.add_token("ingest")).status == 202


def garbage(folder, certificates):
    (folder / "server.pem").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")


def another_key(folder, certificates):
    shutil.copy(certificates["second"].key, folder / "server.key")


def an_open_key(folder, certificates):
    install(certificates["second"], folder)
    (folder / "server.key").chmod(0o644)


def no_file(folder, certificates):
    (folder / "server.pem").unlink()


@pytest.mark.parametrize("spoil", [garbage, another_key, an_open_key, no_file])
def test_a_bad_new_certificate_leaves_the_old_one(api, certificates, tmp_path, spoil):
    def check():
        return next(c for c in api.get("/readyz").json()["checks"] if c["name"] == "certificate")

    assert check()["ok"]
    spoil(tmp_path, certificates)
    if spoil is an_open_key:
        api.signal(signal.SIGHUP)  # a file's mode is no change of what is in it
    wait_until(lambda: not check()["ok"], message="/readyz says so")
    assert re.fullmatch(r"\[api\] (certificate|key)_file can't be used: the log says why", check()["detail"])
    assert re.search(r"certificate: .*/server\.(pem|key).*; the one before stays in force", api.log())
    assert shown_by(api.port, api.trust) == "first"
    install(certificates["second"], tmp_path)
    wait_until(lambda: check()["ok"], message="/readyz is content")
    assert shown_by(api.port, api.trust) == "second"


def test_when_it_expires_is_known(api, certificates, tmp_path):
    with socket_to(api.port, api.trust) as connection:
        until = ssl.cert_time_to_seconds(connection.getpeercert()["notAfter"])
    assert samples(api.get("/metrics").text)["headcount_api_certificate_expires_seconds"] == until
    api.trust.check_hostname = False
    api.trust.verify_mode = ssl.CERT_NONE
    install(Certificate(tmp_path, "expired", days=0), tmp_path)
    wait_until(lambda: api.get("/readyz").status == 503, message="/readyz says that it has expired")
    assert {"name": "certificate", "ok": False, "detail": "it has expired"} in api.get("/readyz").json()["checks"]


def checked(folder, **settings):
    """What --check-config says of such an [api]."""
    path = folder / "checked.conf"
    path.write_text("[api]\n" + "".join(f"{key}={value}\n" for key, value in settings.items()))
    said = subprocess.run(
        [bin_dir() / "headcount-api", "--config", path, "--check-config"], capture_output=True, text=True
    )
    return said.returncode, said.stdout + said.stderr


def test_a_mistake_in_the_configuration_is_named(certificates, tmp_path):
    first, second = certificates["first"], certificates["second"]
    usable = {"token_file": tmp_path / "tokens"}
    assert checked(tmp_path, **usable, certificate_file=first.path, key_file=first.key)[0] == 0
    opened = tmp_path / "open.key"
    shutil.copy(first.key, opened)
    opened.chmod(0o604)
    executable = tmp_path / "executable.key"
    shutil.copy(first.key, executable)
    executable.chmod(0o601)
    long = tmp_path / "long.key"
    long.write_text(first.key.read_text() + "\n" * 65536)
    long.chmod(0o600)
    for settings, what in (
        ({"certificate_file": first.path}, "both or neither"),
        ({"key_file": first.key}, "both or neither"),
        ({"certificate_file": tmp_path / "none", "key_file": first.key}, "certificate_file: .*none.*No such file"),
        ({"certificate_file": first.path, "key_file": tmp_path / "none"}, "key_file: .*none.*No such file"),
        ({"certificate_file": first.path, "key_file": opened}, "key_file: .*open.key: is open to everybody"),
        ({"certificate_file": first.path, "key_file": executable}, "key_file: .*executable.key: is open to everybody"),
        ({"certificate_file": first.path, "key_file": long}, "key_file: .*long.key: expected at most 65536 bytes"),
        ({"certificate_file": first.path, "key_file": second.key}, "key_file: .*second.key is not the key of .*first.pem"),
        ({"certificate_file": first.key, "key_file": first.key}, "certificate_file: .*first.key is no chain"),
        ({"trusted_proxies": "127.0.0.1 proxy.example"}, "trusted_proxies: 'proxy.example' is no address"),
    ):
        code, said = checked(tmp_path, **usable, **settings)
        assert code == EX_CONFIG
        assert re.search(what, said), said


# Who is in no hurry


def begun_handshake():
    """The first message of a handshake, as a client sends it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("sent", ["nothing", "a byte now and then", "the first message"])
def test_a_handshake_that_does_not_end_is_cut_off(system, certificates, tmp_path, sent):
    install(certificates["first"], tmp_path)
    limits = {**in_use(tmp_path), "timeout_s": 1, "connections_per_address": 5}
    hello = begun_handshake()
    with Api(system.gateway, tmp_path, {"api": limits}, trust(*certificates.values())) as api:
        wait_until(lambda: is_served(api), message="there is room")
        with contextlib.ExitStack() as stack:
            slow = [
                stack.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=30)) for _ in range(5)
            ]
            wait_until(lambda: not is_served(api), message="the sixth is refused")
            if sent == "the first message":
                for connection in slow:
                    connection.sendall(hello)
            if sent != "a byte now and then":
                wait_until(lambda: cpu_seconds(api, 0.2) < 0.1, 20, "no thread turns around what waits")
            begin = time.monotonic()
            while slow:
                slow = [connection for connection in slow if not has_ended(connection)]
                for connection in slow if sent == "a byte now and then" else []:
                    with contextlib.suppress(OSError):
                        connection.sendall(hello[:1])
                        hello = hello[1:] + hello[:1]
                assert time.monotonic() - begin < 20, "they are cut off, all of them"
        wait_until(lambda: is_served(api), message="there is room again")
        wait_until(lambda: cpu_seconds(api, 0.5) < 0.2, message="no thread turns around what has ended")


def cpu_seconds(api, seconds):
    """How much CPU the api takes within so many seconds."""

    def taken():
        fields = Path(f"/proc/{api.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = taken()
    time.sleep(seconds)
    return taken() - before


def has_ended(connection):
    """Waits for a little while whether the server ends the connection; what it sends is passed over."""
    connection.settimeout(0.05)
    try:
        return connection.recv(65536) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def is_served(api):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return api.get("/healthz").status == 200
    return False


def test_streams_that_sleep_leave_the_others_alone(api):
    make_space(api, "slept")
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(Stream(api, "?space=slept")) for _ in range(50)]
        for stream in streams:
            assert stream.next()[2]["count"] == 0
        # As many requests at once as there are threads, and more.
        for _ in range(20):
            assert api.get("/spaces/slept").status == 200
        enter(api, "slept")
        for stream in streams:
            assert stream.until(is_count("slept", 1))


# Behind nginx


class Nginx(Daemon):
    """nginx with the site of config/nginx.conf, moved to free ports and to our certificate. As `api` it is what clients of
    it see."""

    def __init__(self, api, certificate, folder):
        super().__init__("nginx", folder / "nginx")
        self.behind = api
        self.port, self.plain_port = free_port(), free_port()
        self.trust = trust(certificate)
        (self.folder / "site.conf").write_text(self.moved(certificate))
        (self.folder / "nginx.conf").write_text(
            f"user {getpass.getuser()};\ndaemon off;\nworker_processes 1;\npid {self.folder}/pid;\nerror_log stderr;\n"
            "events { worker_connections 1024; }\n"
            "http {\n\taccess_log off;\n"
            + "".join(
                f"\t{kind}_temp_path {self.folder}/{kind};\n"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + f"\tinclude {self.folder}/site.conf;\n}}\n"
        )

    def moved(self, certificate):
        text = (SOURCE_DIR / "config" / "nginx.conf").read_text()
        for old, new in (
            (r"listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            (r"listen 443 ", f"listen 127.0.0.1:{self.port} "),
            (r"\tlisten \[::\].*\n", ""),
            (r"server 127.0.0.1:8080;", f"server 127.0.0.1:{self.behind.port};"),
            (r"ssl_certificate \S+;", f"ssl_certificate {certificate.path};"),
            (r"ssl_certificate_key \S+;", f"ssl_certificate_key {certificate.key};"),
        ):
            text, found = re.subn(old, new, text)
            assert found, old
        return text

    def command(self):
        return ["/usr/sbin/nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def wait_ready(self):
        self.wait_for(lambda: port_open(self.port), 30, f"nginx listens on {self.port}")

    @property
    def api(self):
        front = copy.copy(self.behind)
        front.port, front.trust = self.port, self.trust
        return front


@pytest.fixture(scope="module")
def nginx(system, certificates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    settings = {
        "api": {
            "behind_tls": True,
            "anonymous_read": False,
            "connections_per_address": 1,
            "failed_tokens_per_minute": 2,
            "timeout_s": 60,
        }
    }
    with Api(system.gateway, folder, settings) as api:
        api.token = api.add_token("read")
        api.wait_connected()
        with Nginx(api, certificates["first"], folder) as running:
            yield running


def from_address(port, context, address, method, target, token, body=None, headers=None):
    """A request of another address of this machine; context None: without TLS."""
    headers = {"Authorization": f"Bearer {token}", **(headers or {})}
    if body:
        headers["Content-Type"] = "application/json"
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    more = {"context": context} if context else {}
    with contextlib.closing(kind("127.0.0.1", port, timeout=30, source_address=(address, 0), **more)) as connection:
        connection.request(method, target, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def test_nginx_passes_on_what_the_api_says(nginx):
    answer = nginx.api.get("/spaces")
    assert answer.status == 200
    assert answer.headers.get_all("Strict-Transport-Security") == [YEAR], "once"
    assert cookie_of(nginx.api.request("DELETE", "/session", headers=OURS))["Secure"] is None
    assert nginx.api.get("/spaces/nowhere").status == 404
    tag = nginx.api.get("/openapi.json").headers["Cache-Control"]
    assert tag == "max-age=300"
    large = b'{"id": "large"}'.ljust(65537)
    said = nginx.api.request("POST", "/spaces", large, token=nginx.behind.add_token("admin"), checked=False)
    assert said.status == 413, "which nginx says itself"


def test_nginx_speaks_http_2(nginx, certificates):
    said = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", certificates["first"].path, "-w", "\n%{http_version}",
         "-H", f"Authorization: Bearer {nginx.behind.token}", f"https://127.0.0.1:{nginx.port}/spaces"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    body, _, version = said.rpartition("\n")
    assert version == "2"
    assert "items" in json.loads(body)


def test_who_comes_without_tls_is_sent_to_it(nginx):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.plain_port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/spaces?limit=3", headers={"Host": "headcount.example"})
        answer = connection.getresponse()
        assert answer.status == 301
        assert answer.headers["Location"] == "https://headcount.example/spaces?limit=3"


def test_events_come_through_nginx_at_once(nginx):
    make_space(nginx.api, "live")
    with contextlib.ExitStack() as stack:
        # More than one connection of nginx's address is taken, whatever connections_per_address is.
        query = "?space=live"
        streams = [stack.enter_context(Stream(nginx.api, query, token=nginx.behind.token)) for _ in range(10)]
        for stream in streams:
            assert stream.next()[2]["count"] == 0
        enter(nginx.api, "live")
        for stream in streams:
            assert stream.until(is_count("live", 1))


def origin_of(api, space):
    """From where a space was made, by the audit."""
    items = api.get("/audit", token=api.tokens["admin"], limit=50).json()["items"]
    return next(row["from"] for row in items if row["object_id"] == space)


FORGED = {"X-Forwarded-For": "203.0.113.9"}


def test_the_audit_has_the_address_that_nginx_has_seen(nginx):
    token = nginx.behind.tokens.setdefault("admin", nginx.behind.add_token("admin"))
    for name, headers in (("seen", None), ("forged", FORGED)):
        made = from_address(
            nginx.port, nginx.trust, "127.0.0.5", "POST", "/spaces", token, {"id": f"nginx-{name}"}, headers
        )
        assert made == 201
        assert origin_of(nginx.behind, f"nginx-{name}") == "127.0.0.5"


@pytest.mark.parametrize(
    "settings, origin",
    [
        ({}, "127.0.0.5"),
        ({"trusted_proxies": "127.0.0.5"}, "127.0.0.5"),
        ({"behind_tls": True}, "127.0.0.5"),
        ({"behind_tls": True, "trusted_proxies": "127.0.0.1 127.0.0.5"}, "203.0.113.9"),
    ],
)
def test_only_a_proxy_that_is_named_is_believed(system, tmp_path, settings, origin):
    with Api(system.gateway, tmp_path, {"api": settings}) as api:
        api.wait_connected()
        api.tokens["admin"] = api.add_token("admin")
        space = {"id": f"believed-{origin}-{len(settings)}-{'behind_tls' in settings}"}
        assert from_address(api.port, None, "127.0.0.5", "POST", "/spaces", api.tokens["admin"], space, FORGED) == 201
        assert origin_of(api, space["id"]) == origin


def test_behind_nginx_wrong_tokens_are_counted_by_client(nginx):
    def statuses(address, times):
        return [from_address(nginx.port, nginx.trust, address, "GET", "/spaces", "wrong") for _ in range(times)]

    assert statuses("127.0.0.7", 3) == [401, 401, 429]
    assert statuses("127.0.0.8", 1) == [401]
