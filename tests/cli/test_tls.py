"""`sockudo serve` with TLS: what it does not start with, and that no secret is printed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.doors import TlsClient, ask, is_dropped, line, streams, tls_settings, trusting
from tests.servers.certificates import Certificate, make_certificate
from tests.servers.server import clean_environ, document, server_process
from tests.servers.workers import workers_process

PASSPHRASE = "hunter2-and-more"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def encrypted(made: Certificate) -> Certificate:
    path = made.key.with_name("encrypted.pem")
    command = ["openssl", "pkcs8", "-topk8", "-in", str(made.key), "-out", str(path), "-passout", f"pass:{PASSPHRASE}"]
    subprocess.run(command, check=True, capture_output=True)
    return Certificate(made.cert, path)


def start(folder: Path, ssl: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """Run the command until it gives up; return its status and all that it printed."""
    (folder / "config.json").write_text(json.dumps(document(ssl=ssl)))
    done = subprocess.run(
        [sys.executable, "-m", "sockudo", "serve", "--config", "config.json", *arguments],
        cwd=folder,
        env=clean_environ() | {"LOG_LEVEL": "debug"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cert_path": "missing.pem"}, "ssl.cert_path: missing.pem cannot be read: No such file or directory"),
        ({"key_path": "missing.pem"}, "ssl.key_path: missing.pem cannot be read: No such file or directory"),
        ({"cert_path": ""}, "ssl.cert_path: is required while ssl.enabled is true"),
        ({"passphrase": "wrong-passphrase"}, "ssl.passphrase: the passphrase does not decrypt the key"),
        ({}, "ssl.passphrase: the key in"),
    ],
)
def test_files_that_cannot_be_used_end_the_start_with_2(
    tmp_path: Path, encrypted: Certificate, workers: str, changes: dict[str, Any], sentence: str
) -> None:
    status, printed = start(tmp_path, {**tls_settings(encrypted), **changes}, "--workers", workers)
    assert (status, sentence in printed) == (2, True), printed
    assert "Traceback" not in printed
    assert "wrong-passphrase" not in printed


async def test_a_passphrase_is_in_no_line_of_the_log(tmp_path: Path, encrypted: Certificate) -> None:
    ssl = tls_settings(encrypted, passphrase=PASSPHRASE)
    with server_process(tmp_path, ssl=ssl, environ={"LOG_LEVEL": "debug", "DEBUG": "true"}) as server:
        assert (await ask(server.port, context=trusting(encrypted))).status == 200
        assert server.stop() == 0
    printed = (tmp_path / "server.log").read_text()
    assert f"https://127.0.0.1:{server.port}" in printed
    assert PASSPHRASE not in printed


async def test_workers_speak_tls_while_they_are_replaced(tmp_path: Path, encrypted: Certificate) -> None:
    ssl = tls_settings(encrypted, passphrase=PASSPHRASE)
    changes: dict[str, Any] = {"ssl": ssl, "proxy_protocol": {"networks": ["192.0.2.0/24"]}}
    async with workers_process(tmp_path, "--workers", "2", **changes) as server:
        await server.greeted()
        context = trusting(encrypted)
        server.send(signal.SIGHUP)
        while not server.events("workers: all replaced"):
            async with TlsClient(server.port, context) as client:
                await client.subscribe("news")
        async with streams(server.port) as connection:
            connection[1].write(line("203.0.113.9"))
            assert await is_dropped(connection)
        await server.logged("PROXY protocol: connection closed")
