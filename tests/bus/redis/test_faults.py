"""What the bus over one Redis does when Redis dies, hangs, refuses or is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog

from sockudo.bus.redis.adapter import RedisAdapter
from sockudo.bus.redis.options import RedisOptions
from sockudo.config.sections.adapter import RedisAdapterSettings
from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisTarget, RedisTiming, Sentinels
from tests.contracts.adapter import joined
from tests.fakes.inbox import RecordingInbox
from tests.servers.ports import free_port
from tests.servers.processes import wait_until
from tests.servers.redis_server import PASSWORD, RedisProcess

IMPATIENT = RedisTiming(connect_timeout=2, probe_interval=0.1, probes=3)
SETTING = "adapter.redis.redis_pub_options.url"


def adapter_at(url: str, timing: RedisTiming = IMPATIENT, password: str | None = None) -> RedisAdapter:
    return RedisAdapter(
        RedisOptions(RedisAdapterSettings(), RedisTarget(url, SETTING, password=password), timing=timing)
    )


@asynccontextmanager
async def two_nodes(
    url: str, timing: RedisTiming = IMPATIENT
) -> AsyncIterator[list[tuple[RedisAdapter, RecordingInbox]]]:
    nodes = [(adapter_at(url, timing), RecordingInbox()) for _ in range(2)]
    try:
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        yield nodes
    finally:
        for adapter, _ in nodes:
            await adapter.aclose()


async def restored(nodes: list[tuple[RedisAdapter, RecordingInbox]], count: int = 1) -> None:
    for _, inbox in nodes:
        await inbox.wait_for_restoration(count)


async def test_a_redis_that_died_is_found_and_its_topics_joined(own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url) as nodes:
        (first, _), (second, heard) = nodes
        for number in range(1500):
            second.subscribe(f"t{number}")
        await joined(second, "last")
        first.publish("t1", b"before")
        await heard.wait_for_messages(1)
        own_redis.kill()
        await heard.wait_for_loss()
        assert not second.is_connected
        await asyncio.to_thread(own_redis.start)
        await restored(nodes)
        assert second.is_connected
        for number in range(1500):
            first.publish(f"t{number}", b"after")
        messages = await heard.wait_for_messages(1501)
        assert messages == [("t1", b"before"), *((f"t{number}", b"after") for number in range(1500))]
        assert [(len(inbox.losses), inbox.restorations, adapter.counts.reconnects) for adapter, inbox in nodes] == [
            (1, 1, 1),
            (1, 1, 1),
        ]


async def test_late_messages_of_a_redis_that_hung_are_not_heard(
    own_redis: RedisProcess,
) -> None:
    async with two_nodes(own_redis.url) as nodes:
        (first, lost_first), (second, heard) = nodes
        await joined(second, "t")
        own_redis.pause()
        numbers = iter(range(100_000))
        # What the server finds when it wakes up takes it several reads.
        for _ in range(20_000):
            first.publish("t", b"%06d" % next(numbers))
        await lost_first.wait_for_loss()
        await heard.wait_for_loss()
        own_redis.resume()
        await restored(nodes)
        end = b"end"
        for _ in range(1000):
            first.publish("t", b"%06d" % next(numbers))
        first.publish("t", end)
        while heard.messages[-1:] != [("t", end)]:
            await heard.wait_for_messages(len(heard.messages) + 1)
        data = [data for _, data in heard.messages]
        assert data[-1001:-1] == [b"%06d" % number for number in range(20_000, 21_000)]
        assert data[:-1] == sorted(set(data[:-1]))
        assert "PING" in heard.losses[0]
        assert len(heard.losses) == heard.restorations == 1


async def test_what_redis_does_not_read_is_bounded(own_redis: RedisProcess) -> None:
    timing = RedisTiming(connect_timeout=2, probe_interval=60, max_unsent_bytes=1_000_000)
    async with two_nodes(own_redis.url, timing) as nodes:
        (first, inbox), _ = nodes
        own_redis.pause()
        for _ in range(100):
            first.publish("t", bytes(200_000))
        await inbox.wait_for_loss()
        own_redis.resume()
        await inbox.wait_for_restoration()
        assert "unsent" in inbox.losses[0]


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_both_connections_are_renewed_when_one_is_lost(kind: str, own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url) as nodes:
        (first, _), (second, heard) = nodes
        await joined(second, "t")
        killed = await asyncio.to_thread(own_redis.cli, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        assert killed == "2"
        await restored(nodes)
        first.publish("t", b"1")
        assert await heard.wait_for_messages(1) == [("t", b"1")]
        assert [(len(inbox.losses), inbox.restorations) for _, inbox in nodes] == [(1, 1), (1, 1)]
        clients = await asyncio.to_thread(own_redis.cli, "CLIENT", "LIST")
        assert len(clients.splitlines()) == 5  # two for each node, and the one that asks
        # The server was told to drop what it may still hold of the old connections.
        assert "cmdstat_client|kill:calls=3" in await asyncio.to_thread(own_redis.cli, "INFO", "commandstats")


async def test_topics_are_joined_and_left_while_the_bus_is_lost(own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url) as nodes:
        (first, inbox), (second, heard) = nodes
        await joined(second, "left")
        own_redis.kill()
        await inbox.wait_for_loss()
        await heard.wait_for_loss()
        assert all(second.subscribe("joined").done() for _ in range(2))
        second.unsubscribe("left")
        first.publish("joined", b"nobody hears it")
        await asyncio.to_thread(own_redis.start)
        await restored(nodes)
        first.publish("left", b"1")
        first.publish("joined", b"2")
        assert await heard.wait_for_messages(1) == [("joined", b"2")]
        assert (first.counts.dropped, first.counts.published) == (1, 2)


async def test_what_is_logged_while_it_is_lost_names_no_secret(own_redis: RedisProcess) -> None:
    adapter, inbox = adapter_at(f"redis://:s3cret@127.0.0.1:{own_redis.port}"), RecordingInbox()
    await asyncio.to_thread(own_redis.cli, "CONFIG", "SET", "requirepass", "s3cret")
    await adapter.start(inbox)
    with structlog.testing.capture_logs() as logs:
        own_redis.kill()
        await inbox.wait_for_loss()
        # It comes back without a password, so that ours is refused; then it has one again.
        await asyncio.to_thread(own_redis.start)
        await asyncio.to_thread(
            wait_until, lambda: any("AUTH" in line["reason"] for line in logs), "the refusal is logged"
        )
        await asyncio.to_thread(own_redis.cli, "CONFIG", "SET", "requirepass", "s3cret")
        await inbox.wait_for_restoration()
    assert "s3cret" not in f"{logs}{inbox.losses}"
    # Every reason is told once, however often it is met.
    assert len({line["reason"] for line in logs}) == len(logs)
    await adapter.aclose()


async def test_a_lost_bus_releases_those_waiting_for_a_topic(own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url) as nodes:
        own_redis.pause()
        waiting = nodes[0][0].subscribe("t")
        another = nodes[0][0].subscribe("t")
        assert waiting is not None
        assert another is not None
        await asyncio.wait_for(asyncio.gather(waiting, another), 10)
        own_redis.resume()
        await restored(nodes[:1])


async def test_giving_up_a_wait_for_a_topic_affects_nobody_else(own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url, RedisTiming()) as nodes:
        first, second = nodes[0][0].subscribe("t"), nodes[0][0].subscribe("t")
        assert first is not None
        assert second is not None
        first.cancel()
        await asyncio.wait_for(second, 10)


async def test_a_lost_adapter_can_be_closed(own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url) as nodes:
        own_redis.kill()
        await nodes[0][1].wait_for_loss()
    assert not nodes[0][0].is_connected


async def test_closing_does_not_wait_forever_for_a_hanging_redis(own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url, RedisTiming()) as nodes:
        own_redis.pause()
        nodes[0][0].publish("t", b"1")
        await asyncio.wait_for(nodes[0][0].aclose(), 10)
        own_redis.resume()


async def test_messages_that_redis_refuses_are_counted_and_logged_once(own_redis: RedisProcess) -> None:
    async with two_nodes(own_redis.url) as nodes:
        adapter = nodes[0][0]
        await asyncio.to_thread(own_redis.cli, "ACL", "SETUSER", "default", "-publish")
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                adapter.publish("t", b"1")
            await joined(adapter, "t")
            assert adapter.is_connected
            # Closing waits until the server has taken everything.
            await adapter.aclose()
        assert adapter.counts.refused == 3
        assert [line["event"] for line in logs] == ["redis bus refuses a message"]


# Starting


async def refusal(adapter: RedisAdapter) -> str:
    with pytest.raises(DriverError) as caught:
        await adapter.start(RecordingInbox())
    assert not adapter.is_connected
    await adapter.aclose()
    return str(caught.value)


@asynccontextmanager
async def stranger(greeting: bytes) -> AsyncIterator[int]:
    """A server that says this and no more."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_an_absent_redis_is_an_error_that_names_the_setting() -> None:
    port = free_port()
    text = await refusal(adapter_at(f"redis://127.0.0.1:{port}"))
    assert text == f"Redis at 127.0.0.1:{port} cannot be used ({SETTING}): Connection refused"


async def test_a_server_that_says_nothing_is_an_error() -> None:
    async with stranger(b"") as port:
        text = await refusal(adapter_at(f"redis://127.0.0.1:{port}", RedisTiming(connect_timeout=0.1)))
        assert text == f"Redis at 127.0.0.1:{port} cannot be used ({SETTING}): no answer in 0.1 s"


async def test_a_server_that_is_no_redis_is_an_error() -> None:
    async with stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert "does not speak the protocol of Redis" in await refusal(adapter_at(f"redis://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    "login",
    [
        lambda port: (f"redis://127.0.0.1:{port}", None),
        lambda port: (f"redis://127.0.0.1:{port}", "wrong-secret"),
        lambda port: (f"redis://:wrong-secret@127.0.0.1:{port}/0", None),
        lambda port: (f"redis://nobody:wrong-secret@127.0.0.1:{port}/0", None),
    ],
)
async def test_a_refused_login_is_an_error_without_the_password(
    login: Callable[[int], tuple[str, str | None]], redis_acl: RedisProcess
) -> None:
    url, password = login(redis_acl.port)
    text = await refusal(adapter_at(url, password=password))
    assert SETTING in text
    assert "wrong-secret" not in text
    assert "NOAUTH" in text or "WRONGPASS" in text


@pytest.mark.parametrize(("rights", "verb"), [("+publish", "PUBLISH"), ("+subscribe", "PUBLISH")])
async def test_a_user_without_rights_to_the_topics_is_an_error(rights: str, verb: str, redis_acl: RedisProcess) -> None:
    login = ["ACL", "SETUSER", "poor", "reset", "on", f">{PASSWORD}", "+ping", rights, "&other*"]
    await asyncio.to_thread(redis_acl.cli, *login)
    text = await refusal(adapter_at(f"redis://poor:{quote(PASSWORD, safe='')}@127.0.0.1:{redis_acl.port}"))
    assert f"{verb} is refused" in text
    assert PASSWORD not in text


async def test_a_certificate_that_is_not_trusted_is_an_error(redis_tls: tuple[RedisProcess, Path]) -> None:
    text = await refusal(adapter_at(f"rediss://127.0.0.1:{redis_tls[0].port}"))
    assert "certificate cannot be verified" in text


async def test_a_url_can_waive_the_trust_in_a_certificate(redis_tls: tuple[RedisProcess, Path]) -> None:
    adapter = adapter_at(f"rediss://127.0.0.1:{redis_tls[0].port}?ssl_cert_reqs=none")
    await adapter.start(RecordingInbox())
    await adapter.aclose()


@pytest.mark.parametrize(
    "url",
    ["http://u:wrong-secret@h", "redis://u:wrong-secret@h:port", "rediss://:wrong-secret@h?ssl_ca_certs=/no/file"],
)
async def test_an_unusable_url_is_an_error_without_the_password(url: str) -> None:
    text = await refusal(adapter_at(url))
    assert SETTING in text
    assert "wrong-secret" not in text


def test_no_representation_shows_a_secret() -> None:
    sentinels = Sentinels((("h", 1),), password="s3cret")
    options = RedisOptions(
        RedisAdapterSettings(), RedisTarget("redis://u:s3cret@h", password="s3cret", sentinels=sentinels)
    )
    assert "s3cret" not in repr(options)
    assert "s3cret" not in repr(RedisAdapter(options))
