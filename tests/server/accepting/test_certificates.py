"""Files of TLS: what fits is loaded, and what does not is an error that names the setting and no secret."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sockudo.config.sections.tls import SslSettings
from sockudo.server.accepting.certificates import TlsError, TlsSection, fingerprint, load_context
from tests.servers.certificates import Certificate

PASSPHRASE = "correct-horse-battery"


@pytest.fixture(scope="module")
def encrypted(made: Certificate) -> Path:
    path = made.key.with_name("encrypted.pem")
    command = ["openssl", "pkcs8", "-topk8", "-in", str(made.key), "-out", str(path), "-passout", f"pass:{PASSPHRASE}"]
    subprocess.run(command, check=True, capture_output=True)
    return path


def files(made: Certificate, **changes: str | None) -> SslSettings:
    """Return a section that was not checked: what it has may change after that."""
    given: dict[str, Any] = {"cert_path": str(made.cert), "key_path": str(made.key)} | changes
    return SslSettings.model_construct(**given)


def problem(given: TlsSection) -> str:
    with pytest.raises(TlsError) as caught:
        load_context(given)
    assert PASSPHRASE not in str(caught.value)
    return str(caught.value)


def test_clients_need_no_certificate_unless_there_are_authorities(made: Certificate) -> None:
    assert load_context(files(made)).verify_mode == ssl.CERT_NONE
    assert load_context(files(made, ca_path=str(made.cert))).verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(("version", "oldest"), [("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)])
def test_the_oldest_version_is_that_of_the_settings(made: Certificate, version: str, oldest: ssl.TLSVersion) -> None:
    assert load_context(files(made, min_version=version)).minimum_version == oldest


def test_an_encrypted_key_is_decrypted_with_its_passphrase(made: Certificate, encrypted: Path) -> None:
    load_context(files(made, key_path=str(encrypted), passphrase=PASSPHRASE))


def test_a_passphrase_is_in_no_text(made: Certificate, encrypted: Path) -> None:
    assert PASSPHRASE not in repr(files(made, key_path=str(encrypted), passphrase=PASSPHRASE))
    wrong = problem(files(made, key_path=str(encrypted), passphrase="wrong-" + "w" * 20))
    assert wrong.startswith("ssl.passphrase: the passphrase does not decrypt")
    assert "wrong-w" not in wrong


@pytest.mark.parametrize("passphrase", ["", "x" * 2000])
def test_a_passphrase_that_none_can_be_is_wrong(made: Certificate, encrypted: Path, passphrase: str) -> None:
    assert problem(files(made, key_path=str(encrypted), passphrase=passphrase)).startswith("ssl.passphrase: ")


def test_an_encrypted_key_without_passphrase_asks_no_terminal(made: Certificate, encrypted: Path) -> None:
    assert problem(files(made, key_path=str(encrypted))).startswith("ssl.passphrase: the key in ")


@pytest.mark.parametrize("setting", ["cert_path", "key_path", "ca_path"])
def test_an_unusable_file_is_named_with_its_setting(made: Certificate, tmp_path: Path, setting: str) -> None:
    missing, empty, folder = tmp_path / "missing.pem", tmp_path / "empty.pem", tmp_path / "folder"
    empty.write_text("no PEM\n")
    folder.mkdir()
    for path, reason in ((missing, "cannot be read: No such file"), (folder, "cannot be read: Is a dir"), (empty, "")):
        text = problem(files(made, **{setting: str(path)}))
        assert text.startswith(f"ssl.{setting}: {path} {reason}")
    assert problem(files(made, **{setting: "a\0b"})).startswith(f"ssl.{setting}: ")


def test_a_key_of_another_certificate_is_named(made: Certificate, other: Certificate) -> None:
    text = problem(files(made, key_path=str(other.key)))
    assert text.startswith(f"ssl.key_path: the key in {other.key} is not that of the certificate in {made.cert}")


def test_a_key_in_place_of_a_certificate_is_named(made: Certificate) -> None:
    assert problem(files(made, cert_path=str(made.key))).startswith("ssl.cert_path: ")
    assert problem(files(made, key_path=str(made.cert))).startswith("ssl.key_path: ")


def test_the_fingerprint_is_what_tools_show(made: Certificate) -> None:
    command = ["openssl", "x509", "-in", str(made.cert), "-noout", "-fingerprint", "-sha256"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert fingerprint(files(made, cert_path=str(made.key))) == fingerprint(files(made, cert_path="/missing.pem")) == ""
    assert fingerprint(files(made)) == shown.strip().partition("=")[2].replace(":", "").lower()


def test_comments_in_any_language_are_passed_over(made: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "commented.pem"
    path.write_bytes("# Zürich\n".encode() + made.cert.read_bytes())
    load_context(files(made, cert_path=str(path), ca_path=str(path)))
