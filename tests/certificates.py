"""Certificates for servers on this machine, made with openssl."""

import socket
import ssl
import subprocess
from pathlib import Path


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Certificate:
    """A certificate for localhost that vouches for itself, and its key: files in a folder."""

    def __init__(self, folder, name, days=30):
        self.name = name
        self.path = Path(folder) / f"{name}.pem"
        self.key = Path(folder) / f"{name}.key"
        request = Path(folder) / f"{name}.csr"
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key)
        openssl("req", "-new", *made, "-out", request, "-subj", f"/CN={name}", "-addext", names)
        openssl(
            *("x509", "-req", "-in", request, "-key", self.key, "-days", days),
            *("-copy_extensions", "copy", "-out", self.path),
        )


def trust(*certificates):
    """What a client is told to trust."""
    context = ssl.create_default_context()
    for certificate in certificates:
        context.load_verify_locations(certificate.path)
    return context


def shown_by(port, context):
    """The name of the certificate that a server shows, which the context must trust."""
    with socket_to(port, context) as connection:
        return dict(pair for (pair,) in connection.getpeercert()["subject"])["commonName"]


def socket_to(port, context):
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30), server_hostname="localhost")
