"""`sockudo webhooks` beside a server whose deliveries fail, with the queue in a Redis."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import PusherClient
from tests.servers.redis_server import RedisProcess
from tests.servers.server import ServerProcess, app, clean_environ, server_process
from tests.servers.webhook_receiver import WebhookReceiver, webhook_receiver

# Any text can be the id of an app.
APP_ID = "team/[red]one[/] :x:"
SECRET_PATH = "/hook-token-8fd1"


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


def document(redis: RedisProcess, receiver: WebhookReceiver, name: str) -> dict[str, Any]:
    hook = {"url": receiver.url + SECRET_PATH, "event_types": ["client_event"], "headers": {"X-Token": "t0ken"}}
    return {
        "app_manager": {"array": {"apps": [app(id=APP_ID, webhooks=[hook])]}},
        "queue": {"driver": "redis", "redis": {"url_override": redis.url, "prefix": f"q-{name}:"}},
        "adapter": {"driver": "redis", "redis": {"redis_pub_options": {"url": redis.url}, "prefix": f"a-{name}:"}},
        "webhooks": {"max_attempts": 1, "batching": {"duration": 10}},
    }


def command(folder: Path, *words: str) -> tuple[int, str]:
    """Run `sockudo webhooks` with the server's configuration."""
    done = subprocess.run(
        [sys.executable, "-m", "sockudo", "webhooks", *words, "--config", str(folder / "config.json")],
        capture_output=True,
        text=True,
        env=clean_environ(),
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def asked(folder: Path, *words: str) -> str:
    """Run a command while this event loop goes on, and check that it ends well."""
    status, output = await asyncio.to_thread(command, folder, *words)
    assert status == 0, output
    return output


async def trigger(server: ServerProcess, *events: str) -> None:
    async with PusherClient(server.port) as client:
        await client.subscribe("private-a")
        for event in events:
            await client.trigger("private-a", f"client-{event}", "")
            # Each is a delivery of its own.
            await asyncio.sleep(0.05)
        await client.expect_nothing()


async def test_what_failed_is_listed_and_tried_again(
    redis_server: RedisProcess, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    settings = document(redis_server, receiver, "retry")
    receiver.answer = lambda _: 500
    with server_process(tmp_path, **settings) as server:
        assert await asked(tmp_path, "failed") == "No delivery has failed.\n"
        await trigger(server, "one", "two")
        await receiver.until(lambda: len(receiver.requests) == 2)
        jobs: list[dict[str, Any]] = []
        while len(jobs) < 2:
            jobs = [json.loads(line) for line in (await asked(tmp_path, "failed", "--json")).splitlines()]
        assert [(job["app"], job["events"], job["attempts"]) for job in jobs] == [(APP_ID, ["client_event"], 1)] * 2
        assert all(job["reason"].startswith("answered 500") for job in jobs)
        assert "failed     2" in await asked(tmp_path, "status")
        table = await asked(tmp_path, "failed", "--limit", "1")
        assert jobs[1]["id"] in table
        assert f" {APP_ID}  {jobs[1]['webhook']}  " in table
        assert jobs[0]["id"] not in table

        receiver.answer = lambda _: 200
        assert await asked(tmp_path, "retry", jobs[1]["id"]) == "1 delivery waits again.\n"
        await receiver.until(lambda: len(receiver.events) == 1)
        assert await asked(tmp_path, "retry", "--all") == "1 delivery waits again.\n"
        await receiver.until(lambda: len(receiver.events) == 2)
        assert [event["event"] for event in receiver.events] == ["client-two", "client-one"]
        assert await asked(tmp_path, "failed") == "No delivery has failed.\n"
        status, output = await asyncio.to_thread(command, tmp_path, "retry", "unknown")
        assert (status, output) == (1, "0 deliveries wait again.\n1 of the ids are not in the list.\n")
    shown = table + json.dumps(jobs) + (tmp_path / "server.log").read_text()
    for secret in (SECRET_PATH, "t0ken", "app-secret"):
        assert secret not in shown
    assert "webhook given up" in shown


async def test_deliveries_are_followed_live(
    redis_server: RedisProcess, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    settings = document(redis_server, receiver, "tail")
    answers = iter([500])
    receiver.answer = lambda _: next(answers, 200)
    settings["webhooks"]["max_attempts"] = 3
    with server_process(tmp_path, **settings) as server:
        follower = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sockudo", "webhooks", "tail", "--json", "-c", str(tmp_path / "config.json")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=clean_environ() | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            assert follower.stdout is not None
            assert follower.stderr is not None
            assert b"Waiting for deliveries" in await asyncio.wait_for(follower.stderr.readline(), 15)
            # It asks the nodes right after that; a delivery before they have heard it is not shown.
            await asyncio.sleep(1)
            await trigger(server, "one")
            lines = [json.loads(await asyncio.wait_for(follower.stdout.readline(), 15)) for _ in range(2)]
        finally:
            follower.terminate()
            await follower.communicate()
    assert [(line["result"], line["attempt"], line["events"]) for line in lines] == [
        ("retry", 1, ["client_event"]),
        ("delivered", 2, ["client_event"]),
    ]
    assert lines[0]["reason"] == "answered 500"
    assert SECRET_PATH not in json.dumps(lines)


@pytest.mark.parametrize("words", [["failed"], ["status"], ["retry", "--all"]])
def test_a_queue_in_memory_says_that_it_is_unreachable(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"queue": {"driver": "memory"}}))
    status, output = command(tmp_path, *words)
    assert status == 2
    assert "queue.driver" in output
    assert "memory of each server" in output


def test_without_a_bus_following_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    status, output = command(tmp_path, "tail")
    assert status == 2
    assert "adapter.driver" in output


@pytest.mark.parametrize("words", [["retry"], ["retry", "x", "--all"]])
def test_what_is_to_be_tried_again_must_be_said(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "config.json").write_text("{}")
    status, output = command(tmp_path, *words)
    assert status == 2
    assert "sockudo webhooks failed" in output
