"""What the load runs of this folder share: a server process, its memory and CPU, and a client in blocking sockets."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

APP_ID, KEY, SECRET = "1", "app-key", "app-secret"


@contextmanager
def serving(*, app: dict[str, Any] | None = None, **settings: Any) -> Iterator[tuple[int, int]]:
    """Run a server; yield its port and process id."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    apps = [{"id": APP_ID, "key": KEY, "secret": SECRET, "enable_client_messages": True} | (app or {})]
    document = {"host": "127.0.0.1", "port": port, "app_manager": {"array": {"apps": apps}}} | settings
    with tempfile.TemporaryDirectory() as name:
        config, log = Path(name) / "config.json", Path(name) / "server.log"
        config.write_text(json.dumps(document))
        with log.open("w") as out:
            command = [sys.executable, "-m", "sockudo", "serve", "--config", str(config)]
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            _await(process, port, log)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(60)
            assert "Traceback" not in log.read_text(), log.read_text()[-3000:]


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server does not start:\n{log.read_text()}") from None
            time.sleep(0.05)


def rss(pid: int) -> int:
    """Return resident memory in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sign(text: str) -> str:
    """Return the signature of a text."""
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


class Client:
    """One WebSocket; over TLS with a `context`.

    Args:
        headers: more lines of the handshake, each with its end.
    """

    def __init__(
        self,
        port: int,
        receive_buffer: int | None = None,
        context: ssl.SSLContext | None = None,
        headers: bytes = b"",
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.socket.sendall(
            b"GET /app/%b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
            % (KEY.encode(), headers)
        )
        established = self.read_until(b'activity_timeout\\":')
        self.socket_id = established.partition(b'socket_id\\":\\"')[2].partition(b"\\")[0].decode()

    def read_until(self, mark: bytes) -> bytes:
        """Return what comes, up to the read in which `mark` has come."""
        data = b""
        while mark not in data:
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                raise SystemExit(f"the server closed the connection after {data[-300:]!r}")
            data += chunk
        return data

    def subscribe(self, channel: str, user_id: str | None = None) -> None:
        """Ask for a channel; with a user id it is a presence channel."""
        data: dict[str, str] = {"channel": channel}
        if user_id is not None:
            data["channel_data"] = json.dumps({"user_id": user_id, "user_info": {"name": user_id}})
            data["auth"] = f"{KEY}:{sign(':'.join((self.socket_id, channel, data['channel_data'])))}"
        self.socket.sendall(frame({"event": "pusher:subscribe", "data": data}))


class Publisher:
    """One HTTP connection that publishes; over TLS with a `context`."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname="localhost")

    def publish(self, channels: list[str], data: str) -> None:
        """Publish one event and wait for the answer."""
        body = json.dumps({"name": "event", "channels": channels, "data": data}).encode()
        path = f"/apps/{APP_ID}/events"
        signed = {
            "auth_key": KEY,
            "auth_timestamp": str(int(time.time())),
            "auth_version": "1.0",
            "body_md5": hashlib.md5(body).hexdigest(),
        }
        text = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
        query = text + "&auth_signature=" + sign(f"POST\n{path}\n{text}")
        head = f"POST {path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        answer = b""
        while not answer.endswith(b"{}"):
            answer += self._socket.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 200"), answer


def frame(message: dict[str, Any]) -> bytes:
    """Return a client's text frame; its masking key is zero."""
    payload = json.dumps(message).encode()
    size = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + payload


CLOSE_FRAME = b"\x88\x82\0\0\0\0\x03\xe8"
