"""Certificates for servers of the tests, made by the `openssl` command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.broker_process import find_program


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1; it is its own authority."""

    cert: Path
    key: Path


def sign_certificate(folder: Path, authority: Certificate) -> Certificate:
    """Make one for a client, signed by another; valid for a day."""
    certificate, request = Certificate(folder / "client.pem", folder / "client-key.pem"), folder / "client.csr"
    openssl = find_program("openssl", "apt install openssl")
    ask = [openssl, "req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=client"]
    subprocess.run([*ask, "-keyout", str(certificate.key), "-out", str(request)], check=True, capture_output=True)
    sign = [openssl, "x509", "-req", "-days", "1", "-in", str(request), "-CAcreateserial"]
    sign += ["-CA", str(authority.cert), "-CAkey", str(authority.key), "-out", str(certificate.cert)]
    subprocess.run(sign, check=True, capture_output=True)
    return certificate


def make_certificate(folder: Path) -> Certificate:
    """Make one that is valid for a day."""
    certificate = Certificate(folder / "cert.pem", folder / "key.pem")
    command = [find_program("openssl", "apt install openssl"), "req", "-x509", "-nodes", "-days", "1"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=sockudo tests"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-keyout", str(certificate.key), "-out", str(certificate.cert)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate
