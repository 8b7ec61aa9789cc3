"""The signatures in the documentation are right, by an independent computation and by the server's own."""

from __future__ import annotations

import hashlib
import hmac
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from sockudo.pusher.signatures import Signer, body_md5, request_string, signed_query
from tests.servers.server import app, server_process
from tests.support.pages import code_blocks, section, the_block
from tests.support.source import ROOT

API: Final = ROOT / "docs/http-api.md"
CLIENTS: Final = ROOT / "docs/clients.md"


def hmac_of(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_the_worked_example_of_a_signed_request_is_right() -> None:
    worked = section(API, "## Authentication")
    found = re.search(r"Key `(\w+)`, secret `(\w+)`", worked)
    assert found is not None
    key, secret = found.groups()
    body, md5, text, signature = (
        block.text.removesuffix("\n")
        for block in code_blocks(API, "text")
        if block.text in worked and block.text != "{}\n"
    )
    assert hashlib.md5(body.encode()).hexdigest() == md5 == body_md5(body.encode())
    assert f"auth_key={key}&" in text
    assert hmac_of(text, secret) == signature == Signer(secret).sign(text.encode())
    method, path, query = text.split("\n")
    assert (
        request_string(method, path, signed_query(dict(pair.split("=") for pair in query.split("&")))) == text.encode()
    )


def test_the_signed_channels_and_the_sign_in_are_right() -> None:
    text = section(CLIENTS, "## Channels")
    found = re.search(r"key\s+`\w+`, secret `(\w+)`", text)
    assert found is not None
    rows = re.findall(r"^\| `(1234\.1234:.+?)`.* \| `([0-9a-f]{64})` \|$", text, re.MULTILINE)
    assert len(rows) == 3
    for signed, signature in rows:
        assert hmac_of(signed, found.group(1)) == signature == Signer(found.group(1)).sign(signed.encode())


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl")
def test_publishing_with_curl_works_as_shown(tmp_path: Path) -> None:
    script = the_block(API, "sh", "curl -s")
    with server_process(tmp_path, app(id="1", key="chat-key", secret="chat-secret")) as server:
        command = ["sh", "-c", script.replace("6001", str(server.port))]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert answer.stdout == "{}"
