from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from sockudo.webhooks.delivery import resolver
from sockudo.webhooks.delivery.resolver import ThreadsResolver


async def test_a_name_has_addresses() -> None:
    found = await ThreadsResolver().resolve("localhost", 80, socket.AF_INET)
    assert [(one["host"], one["port"], one["hostname"]) for one in found] == [("127.0.0.1", 80, "localhost")]


async def test_a_name_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(OSError, match=r".+"):
        await ThreadsResolver().resolve("no-such-host.invalid", 80)


@pytest.mark.parametrize("host", ["a..example", ".example", f"{'a' * 64}.example"])
async def test_an_impossible_name_is_an_error_that_costs_no_place(host: str) -> None:
    names = ThreadsResolver()
    async with asyncio.timeout(5):
        for _ in range(resolver._MOST_THREADS + 1):
            with pytest.raises(socket.gaierror):
                await names.resolve(host, 80)
    assert names._running == 0


async def test_a_missing_thread_is_an_error_that_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    names = ThreadsResolver()
    with pytest.raises(OSError, match="threads"):
        await names.resolve("localhost", 80)
    assert names._running == 0


async def test_hanging_names_delay_no_other_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    real = socket.getaddrinfo

    def slow(host: str, *more: object, **options: object) -> object:
        if host == "dead":
            released.wait(10)
        return real("127.0.0.1", *more, **options)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    names = ThreadsResolver()
    dead = [asyncio.create_task(names.resolve("dead", 80, socket.AF_INET)) for _ in range(resolver._MOST_THREADS - 1)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await names.resolve("alive", 80, socket.AF_INET)
    dead.append(asyncio.create_task(names.resolve("dead", 80, socket.AF_INET)))
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too many names"):
        await names.resolve("alive", 80)
    # Who gives up leaves its thread behind until that ends.
    dead[0].cancel()
    released.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*dead, return_exceptions=True)
    await asyncio.to_thread(_all_ended)
    await asyncio.sleep(0)
    assert names._running == 0
    assert await names.resolve("alive", 80, socket.AF_INET)


def _all_ended() -> None:
    for thread in threading.enumerate():
        if thread.name == "webhook-name":
            thread.join(5)
