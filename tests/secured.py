"""A broker with passwords, rights and TLS: mosquitto as Debian installs it, with what `headcount broker-setup` wrote.

    with SecuredBroker(folder) as broker, Gateway(broker, folder, broker.programs) as gateway:
        headcount = Headcount(gateway.config)
        password = headcount("dpu", "add", "423", "--password").strip()
        broker.reload()
        with Publisher(broker, username="423", password=password, **broker.tls()) as dpu: …
"""

import configparser
import getpass
import signal
import subprocess
from pathlib import Path

from harness import Client, Daemon, Headcount, free_port, port_open

# /etc/mosquitto/mosquitto.conf of mosquitto 2.0.11-1.2+deb12u2, but for its folders and its log.
STOCK = """\
pid_file {folder}/mosquitto.pid

persistence true
persistence_location {folder}/state/

log_dest stderr

include_dir {folder}/conf.d
"""


class SecuredBroker(Daemon):
    """`options` are those of `headcount broker-setup` besides the ports, which are free ones."""

    def __init__(self, folder, *options):
        super().__init__("mosquitto", Path(folder) / "broker")
        self.dir = self.folder / "headcount"
        self.ports = {
            name: free_port() for name in ("port", "tls-port", "websockets-port", "certificates-port")
        }
        self.port = self.ports["port"]
        self.setup(*[f"--{name}={port}" for name, port in self.ports.items()], *options)
        for name in ("state", "conf.d"):
            (self.folder / name).mkdir(exist_ok=True)
        (self.folder / "conf.d" / "headcount.conf").symlink_to(self.dir / "mosquitto.conf")
        self.main_config = self.folder / "mosquitto.conf"
        # Folders of tests are for those who run them.
        self.main_config.write_text(STOCK.format(folder=self.folder) + f"user {getpass.getuser()}\n")

    def run_setup(self, *options):
        nothing = self.folder / "setup" / "headcount.conf"  # not beside mosquitto's own conf.d
        nothing.parent.mkdir(exist_ok=True)
        nothing.write_text("")
        return Headcount(nothing).run("broker-setup", "--dir", self.dir, *options)

    def setup(self, *options):
        result = self.run_setup(*options)
        assert result.returncode == 0, result.stderr
        return result

    def password(self, program):
        return (self.dir / f"{program}.password").read_text().strip()

    @property
    def login(self):
        return "headcount-ctl", self.password("headcount-ctl")

    @property
    def programs(self):
        """The settings that broker-setup has written for headcount's programs."""
        written = configparser.RawConfigParser()
        written.read(self.dir / "broker.conf")
        return {group: dict(written[group]) for group in written.sections()}

    @property
    def programs_by_tls(self):
        """The same, as if they were on another machine."""
        broker = {**self.programs["broker"], "host": "localhost", "port": self.ports["tls-port"]}
        return {"broker": {**broker, "ca_file": self.dir / "ca.crt"}}

    def tls(self, name="tls-port", **more):
        """How a Client gets to a listener with TLS."""
        return {"port": self.ports[name], "tls": {"ca_certs": str(self.dir / "ca.crt"), **more}}

    def command(self):
        return ["/usr/sbin/mosquitto", "-c", str(self.main_config)]

    def wait_ready(self):
        for port in self.ports.values():
            self.wait_for(lambda port=port: port_open(port), 20, f"mosquitto listens on {port}")
        with Client(self):
            pass

    def restart(self):
        self.stop()
        return self.start()

    def reload(self):
        """What systemctl reload mosquitto does; answers come after it."""
        self.signal(signal.SIGHUP)
        with Client(self):  # the signal may come between two turns of its loop, an answer does not
            pass
        with Client(self):
            pass


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificate(folder, name, authority, days=30, hosts="DNS:localhost,IP:127.0.0.1"):
    """NAME.crt and NAME.key, signed by AUTHORITY.crt and .key, a path without its ending."""
    request = folder / f"{name}.csr"
    openssl("req", "-config", "/dev/null", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-noenc", "-subj", f"/CN={name}", "-addext", f"subjectAltName={hosts}",
            "-keyout", folder / f"{name}.key", "-out", request)  # fmt: skip
    openssl("x509", "-req", "-in", request, "-copy_extensions", "copy", "-days", days,
            "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key", "-out", folder / f"{name}.crt")  # fmt: skip
    return folder / name


def make_authority(folder, name="other-ca"):
    """A certificate authority that nobody knows."""
    openssl("req", "-config", "/dev/null", "-x509", "-newkey", "ec",
            "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")  # fmt: skip
    return folder / name
