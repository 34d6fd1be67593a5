"""A clean Debian 12 as a machine of its own, for tests of what an operator does.

    with Machine(folder) as machine:
        machine.fetch("./headcount.deb", "curl")
        machine.start()
        machine("apt-get install ./headcount.deb")
        machine("systemctl start headcount-gateway")

debootstrap makes it from the sources that this machine's apt has; systemd is its process 1 (tests/boot). It has no network
but loopback, and can only install what was fetched before it was started. All of it stays in the folder.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from harness import wait_until

RELEASE = "bookworm"


def output_of(*command, **options):
    """What a command prints; if it fails, an AssertionError with all that it has said."""
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace", **options
    )
    assert result.returncode == 0, f"{' '.join(map(str, command))}: {result.returncode}\n{result.stdout}"
    return result.stdout


def why_not():
    """What is missing for machines here; None: nothing."""
    return None if os.geteuid() == 0 else "a machine of its own needs root: debootstrap, mounts, namespaces"


class Machine:
    def __init__(self, folder):
        self.root = Path(folder) / "debian"
        self.log_path = Path(folder) / "debian.log"
        self.boot = None
        self.systemd = None  # its process id here

    # Making

    def make(self):
        sources = output_of(
            *("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(CODENAME) $(COMPONENT)"),
            *("Created-By: Packages", "Origin: Debian"),
        ).splitlines()
        mirror = next(line.split()[1] for line in sources if line.split()[2] == RELEASE)
        packages = "systemd-sysv,ca-certificates"
        output_of("debootstrap", "--variant=minbase", f"--include={packages}", RELEASE, self.root, mirror)
        (self.root / "etc/apt/sources.list").write_text("\n".join(sorted(set(sources))) + "\n")
        # What Debian's installer writes.
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (self.root / "etc/apt/apt.conf.d/yes").write_text('APT::Get::Assume-Yes "true";\n')
        self.chroot("apt-get", "-qq", "update")

    def chroot(self, *command):
        return output_of("chroot", self.root, "env", "DEBIAN_FRONTEND=noninteractive", *command)

    def fetch(self, *packages):
        """Downloads packages, and all that they need, for an installation later."""
        self.chroot("apt-get", "-qq", "install", "--download-only", *packages)

    # Running

    def start(self):
        with open(self.log_path, "wb") as log:
            self.boot = subprocess.Popen(
                [Path(__file__).parent / "boot", self.root], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.systemd = wait_until(self.find_systemd, 30, self.log)
        wait_until(lambda: self.run("systemctl is-system-running").stdout.strip() in ("running", "degraded"), 60, self.log)
        assert self("systemctl list-units --failed --plain --no-legend") == ""

    def find_systemd(self):
        """The process that the programs of tests/boot have become in the end."""
        assert self.boot.poll() is None, self.log()
        process = self.boot.pid
        while children := Path(f"/proc/{process}/task/{process}/children").read_text().split():
            process = int(children[0])
            if Path(f"/proc/{process}/comm").read_text().strip() == "systemd":
                return process
        return None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def run(self, script, **options):
        """Runs a shell script in the machine as root; subprocess's result, whatever the exit code is."""
        return subprocess.run(
            ["nsenter", "--target", str(self.systemd), "--all", "env", "-i", "HOME=/root", "LC_ALL=C.UTF-8",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec", f"cd /root\n{script}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace", timeout=120, **options,
        )

    def __call__(self, script):
        """Runs a shell script, which must work; what it printed."""
        result = self.run(script)
        assert result.returncode == 0, f"{script}\nended with {result.returncode}:\n{result.stdout}"
        return result.stdout

    def put(self, source, name):
        """Copies a file into the home of root, where scripts run."""
        path = self.root / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)

    def stop(self):
        if self.boot is not None:
            self.boot.send_signal(signal.SIGTERM)
            self.boot.wait(60)

    def __enter__(self):
        self.make()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.root)
