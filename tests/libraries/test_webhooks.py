"""What the server sends is read by the webhook helpers of official server libraries: Python, Node, Java and Go."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pusher
import pytest

from tests.clients.client import PusherClient
from tests.servers.missing import missing
from tests.servers.server import KEY, SECRET, app, running_server
from tests.servers.webhook_receiver import Received, webhook_receiver
from tests.setup import golang, maven
from tests.setup.npm import NODE_FOLDER, has_node_packages

JAVA_PROGRAM: Final = Path(__file__).parent / "java" / "Webhooks.java"
EVERY_TYPE: Final = (
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
    "connection_established",
    "connection_terminated",
)


@pytest.fixture
async def requests() -> list[Received]:
    """Return requests with every type of event, single and in batches."""
    async with webhook_receiver() as receiver:
        hook = {"url": receiver.url, "event_types": list(EVERY_TYPE)}
        async with running_server(app(webhooks=[hook]), webhooks={"hold_ms": 100}) as server:
            async with PusherClient(server.port) as client:
                await client.subscribe("presence-room", {"user_id": "ann"})
                await client.subscribe("cache-a")
                await client.trigger("presence-room", "client-said", {"text": 'ünï ☃ " \\ \n'})
                await client.trigger("presence-room", "client-said", "text")
                await receiver.until(lambda: {"client_event", "cache_miss"} <= {one["name"] for one in receiver.events})
            await receiver.until(lambda: {one["name"] for one in receiver.events} == set(EVERY_TYPE))
    for request in receiver.requests:
        request.check()
    return receiver.requests


def changed(request: Received) -> Received:
    """Return a request that somebody has tampered with."""
    return Received(request.at, request.path, request.headers, request.body + b" ", 0)


def test_the_python_library_reads_them(requests: list[Received]) -> None:
    api = pusher.Pusher(app_id="1", key=KEY, secret=SECRET)

    def read(request: Received) -> Any:
        headers = request.headers
        return api.validate_webhook(headers["x-pusher-key"], headers["x-pusher-signature"], request.body.decode())

    for request in requests:
        assert read(request) == json.loads(request.body)
        assert read(changed(request)) is None


def test_the_node_library_reads_them(requests: list[Received], tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not has_node_packages():
        missing("Node.js or the npm packages are missing: run tests/setup")
    file = tmp_path / "requests.json"
    given = [*requests, changed(requests[0])]
    file.write_text(json.dumps([{"headers": dict(one.headers), "rawBody": one.body.decode()} for one in given]))
    *read, tampered = json.loads(run([node, str(NODE_FOLDER / "webhooks.mjs"), KEY, SECRET, str(file)]))
    bodies = [json.loads(request.body) for request in requests]
    assert read == [{"time": body["time_ms"], "events": body["events"]} for body in bodies]
    assert tampered is None


def test_the_java_library_accepts_them(requests: list[Received], tmp_path: Path) -> None:
    java, jars = shutil.which("java"), maven.PUSHER_JAVA
    if java is None or not jars.is_complete():
        missing(f"Java or {jars.name} is missing: run tests/setup")
    file = written_to(tmp_path / "requests", [*requests, changed(requests[0])])
    output = run([java, "-cp", f"{jars.folder}/*", str(JAVA_PROGRAM), KEY, SECRET, str(file)])
    assert output.split() == ["VALID"] * len(requests) + ["INVALID"]


def test_the_go_library_reads_them(requests: list[Received], tmp_path: Path) -> None:
    program = golang.PUSHER_GO
    if not program.is_built():
        # Not every module proxy has the library, so this is no failure anywhere.
        pytest.skip(f"a program with {program.name} could not be built")
    file = written_to(tmp_path / "requests", [*requests, changed(requests[0])])
    *read, tampered = map(json.loads, run([str(program.path), KEY, SECRET, str(file)]).splitlines())
    assert tampered is None
    assert [webhook["time_ms"] for webhook in read] == [json.loads(request.body)["time_ms"] for request in requests]
    # Its own type has a field for each of these and no other.
    known = ("name", "channel", "event", "data", "socket_id", "user_id")
    for webhook, request in zip(read, requests, strict=True):
        for event, sent in zip(webhook["events"], json.loads(request.body)["events"], strict=True):
            assert {name: event.get(name, "") for name in known} == {name: sent.get(name, "") for name in known}


def written_to(file: Path, requests: list[Received]) -> Path:
    """Write requests as the programs in Java and Go read them: key, signature and body in a line each."""
    lines = []
    for one in requests:
        body = base64.b64encode(one.body).decode()
        lines.append(f"{one.headers['x-pusher-key']} {one.headers['x-pusher-signature']} {body}\n")
    file.write_text("".join(lines))
    return file


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
