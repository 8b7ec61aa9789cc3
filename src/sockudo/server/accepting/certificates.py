"""Loads from files what TLS handshakes need: a certificate, its key, and authorities for clients' certificates."""

from __future__ import annotations

import ssl
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from sockudo.errors import SockudoError

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# The HTTP and WebSockets of this server are those of HTTP/1.1.
_PROTOCOLS: Final = ["http/1.1"]
_MISMATCHES: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")


class TlsError(SockudoError):
    """The files cannot be used. The message names the setting and the file, and never what is in it."""


class TlsSection(Protocol):
    """The settings of the section `ssl` that TLS reads.

    Attributes:
        cert_path: the certificate and its chain (PEM).
        key_path: its key (PEM).
        passphrase: what the key is encrypted with, or None.
        ca_path: authorities of clients' certificates (PEM); None where clients need none.
    """

    cert_path: str
    key_path: str
    passphrase: str | None
    ca_path: str | None

    @property
    def min_version(self) -> str:
        """The oldest version of TLS that is spoken."""


def paths_of(files: TlsSection) -> tuple[str, ...]:
    """Return every file."""
    paths = (files.cert_path, files.key_path)
    return paths if files.ca_path is None else (*paths, files.ca_path)


def load_context(files: TlsSection) -> ssl.SSLContext:
    """Return what handshakes need.

    Raises:
        TlsError: a file cannot be used, or they do not fit.
    """
    certificate = _text("ssl.cert_path", files.cert_path)
    _text("ssl.key_path", files.key_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[files.min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_PROTOCOLS)
    _check_certificates("ssl.cert_path", files.cert_path, certificate)
    _load_key(context, files)
    if files.ca_path is not None:
        authorities = _text("ssl.ca_path", files.ca_path)
        _check_certificates("ssl.ca_path", files.ca_path, authorities)
        context.load_verify_locations(cadata=authorities)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def fingerprint(files: TlsSection) -> str:
    """Return the SHA-256 of the server's own certificate, as tools show it; nothing where it cannot be told."""
    try:
        first, end, _ = Path(files.cert_path).read_text("ascii", "replace").partition("-----END CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN CERTIFICATE-----") :] + end)
    except (OSError, ValueError):
        return ""
    return sha256(der).hexdigest()


def contents(files: TlsSection) -> bytes:
    """Return a digest of what is in the files; one that cannot be read counts as empty."""
    digest = sha256()
    for path in paths_of(files):
        try:
            digest.update(sha256(Path(path).read_bytes()).digest())
        except OSError:
            digest.update(bytes(digest.digest_size))
    return digest.digest()


def _text(setting: str, path: str) -> str:
    try:
        # Comments may be in any language; OpenSSL takes ASCII only.
        return Path(path).read_text("ascii", "replace").replace("\ufffd", "?")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise TlsError(f"{setting}: {path} cannot be read: {reason}") from None


def _check_certificates(setting: str, path: str, text: str) -> None:
    """Raise unless a text has certificates, all of which can be read."""
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        scratch.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"{setting}: {path} has no certificate that can be read (PEM): {_reason(error)}") from None


def _load_key(context: ssl.SSLContext, files: TlsSection) -> None:
    asked = _Passphrase(files.passphrase)
    try:
        context.load_cert_chain(files.cert_path, files.key_path, asked)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise TlsError(_key_problem(files, error, was_asked=asked.was_asked)) from None


def _key_problem(files: TlsSection, error: Exception, *, was_asked: bool) -> str:
    if getattr(error, "reason", None) in _MISMATCHES:
        other = f"{files.cert_path} (ssl.cert_path)"
        return f"ssl.key_path: the key in {files.key_path} is not that of the certificate in {other}"
    if was_asked and files.passphrase is None:
        return f"ssl.passphrase: the key in {files.key_path} (ssl.key_path) is encrypted: set its passphrase"
    if was_asked:
        return f"ssl.passphrase: the passphrase does not decrypt the key in {files.key_path} (ssl.key_path)"
    return f"ssl.key_path: {files.key_path} has no key that can be used (PEM): {_reason(error)}"


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or "it is malformed").lower().replace("_", " ")


class _Passphrase:
    """What OpenSSL asks for a passphrase; without it, it would ask at the terminal."""

    def __init__(self, passphrase: str | None) -> None:
        self._passphrase = passphrase
        self.was_asked = False

    def __call__(self) -> str:
        self.was_asked = True
        return self._passphrase or ""
