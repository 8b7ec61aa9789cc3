"""Servers whose apps are in a database, with real databases: what clients and back ends notice of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sockudo.apps.database.store import AppStore
from sockudo.cluster.visitors import announce_apps
from tests.clients.client import ApiClient, PusherClient, http
from tests.clients.raw import HttpConnection
from tests.contracts.app_store import record
from tests.fakes.memory_bus import MemoryBus
from tests.servers.app_databases import AppDatabase, make_database
from tests.servers.nodes import running_nodes
from tests.servers.redis_server import RedisProcess
from tests.servers.server import APP_ID, KEY, SECRET, RunningServer, app, clean_environ, running_server, server_process
from tests.servers.webhook_receiver import webhook_receiver

TTL = 1
GUESSES = 1000


@contextlib.asynccontextmanager
async def opened(database: AppDatabase) -> AsyncIterator[AppStore]:
    """Have the database open, beside the servers."""
    store = database.store()
    await store.start()
    await store.migrate()
    try:
        yield store
    finally:
        await store.aclose()


async def until(is_true: Callable[[], Awaitable[bool]], within: float = 40) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(within):
        while not await is_true():  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.02)


async def up(server: RunningServer) -> int:
    return (await http(server.port, "GET", "/up")).status


async def test_apps_of_the_settings_and_of_the_database_are_served(app_database: AppDatabase) -> None:
    theirs = record("theirs", key="their-key", secret="their-secret", enable_client_messages=True)
    async with opened(app_database) as store:
        await store.create(theirs)
        async with running_server(**app_database.settings(app(allowed_origins=None))) as server:
            assert await up(server) == 200
            for app_id, key, secret in ((APP_ID, KEY, SECRET), ("theirs", "their-key", "their-secret")):
                api = ApiClient(server.port, app_id, key, secret)
                async with PusherClient(server.port, key, secret) as client:
                    await client.subscribe("private-x")
                    await api.trigger("private-x", "hello")
                    assert (await client.expect("event"))["data"] == "hello"
                assert (await http(server.port, "GET", f"/up/{app_id}")).status == 200
            code, _ = await PusherClient(server.port, "nobody").expect_refusal()
            assert code == 4001
            assert (await ApiClient(server.port, "nobody").get("/channels")).status == 404
        # It was registered, and stays.
        found = await store.find_by_id(APP_ID)
        assert found is not None
        assert (found["key"], found["enable_client_messages"]) == (KEY, True)


async def test_apps_in_the_settings_replace_the_databases_at_the_start(sqlite_database: AppDatabase) -> None:
    async with opened(sqlite_database) as store:
        await store.create(record(APP_ID, key="old-key"))
        async with running_server(**sqlite_database.settings(app())) as server:
            assert (await PusherClient(server.port, "old-key").expect_refusal())[0] == 4001
            async with PusherClient(server.port):
                pass


async def test_a_server_without_an_app_in_its_database_is_unready(sqlite_database: AppDatabase) -> None:
    async with opened(sqlite_database) as store, running_server(**sqlite_database.settings()) as server:
        assert await up(server) == 503
        await store.create(record())
        assert await up(server) == 200


async def test_an_invalid_row_counts_as_no_app(sqlite_database: AppDatabase) -> None:
    async with opened(sqlite_database) as store, running_server(**sqlite_database.settings()) as server:
        await store.create(record("bad", webhooks="nonsense"))
        await store.create(record("good"))
        assert (await http(server.port, "GET", "/up/bad")).status == 404
        assert (await PusherClient(server.port, "bad-key").expect_refusal())[0] == 4001
        assert (await http(server.port, "GET", "/up/good")).status == 200


@pytest.mark.parametrize("cache", [True, False])
async def test_without_a_bus_a_change_is_noticed_after_the_ttl(sqlite_database: AppDatabase, cache: bool) -> None:
    settings = sqlite_database.settings(app(), ttl=1, cache=cache)
    async with opened(sqlite_database) as store, running_server(speed=20, **settings) as server:
        async with PusherClient(server.port):
            pass
        found = await store.find_by_id(APP_ID)
        assert found is not None
        assert await store.update(found | {"key": "new-key"})

        async def is_gone() -> bool:
            return (await ApiClient(server.port).get("/channels")).status == 401

        await until(is_gone)
        async with PusherClient(server.port, "new-key"):
            pass
        assert (await PusherClient(server.port).expect_refusal())[0] == 4001


class Cluster:
    """Two nodes on one bus, a client on each, and the database that they share."""

    def __init__(self, store: AppStore, bus: MemoryBus, first: RunningServer, second: RunningServer) -> None:
        self.store = store
        self.bus = bus
        self.first = first
        self.second = second

    async def change(self, **properties: Any) -> None:
        """Change the app and announce it, as the command line does."""
        found = await self.store.find_by_id(APP_ID)
        assert found is not None
        assert await self.store.update(found | properties)
        await announce_apps(self.bus.adapter(), [APP_ID])


class TestNodesThatShareADatabaseAndABus:
    """Apps are kept for five minutes; that a change is noticed in time is due to its announcement."""

    @pytest.fixture
    async def cluster(self, sqlite_database: AppDatabase) -> AsyncIterator[Cluster]:
        bus, settings = MemoryBus(), sqlite_database.settings(app())
        async with (
            opened(sqlite_database) as store,
            running_server(adapter=bus.adapter(), **settings) as first,
            running_server(adapter=bus.adapter(), **settings) as second,
        ):
            yield Cluster(store, bus, first, second)

    async def test_a_disabled_app_refuses_subscriptions_and_keeps_its_clients(self, cluster: Cluster) -> None:
        async with PusherClient(cluster.first.port) as one, PusherClient(cluster.second.port) as other:
            for client in (one, other):
                await client.subscribe("private-a")
            await cluster.change(enabled=False)
            for client in (one, other):
                await client.ask_for("b")
                assert await client.expect_rejection("b", "AppError", 4003) == "Application disabled"
            for server in (cluster.first, cluster.second):
                assert (await PusherClient(server.port).expect_refusal())[0] == 4003
                assert (await http(server.port, "GET", f"/up/{APP_ID}")).status == 503
            await one.trigger("private-a", "client-x", "still here")
            assert (await other.expect("client-x"))["data"] == "still here"
            await cluster.change(enabled=True)
            for client in (one, other):
                assert (await client.subscribe("b"))["event"] == "pusher_internal:subscription_succeeded"

    async def test_client_events_stop_with_the_next_one(self, cluster: Cluster) -> None:
        async with PusherClient(cluster.first.port) as one, PusherClient(cluster.second.port) as other:
            for client in (one, other):
                await client.subscribe("private-a")
            await other.trigger("private-a", "client-x", 1)
            await one.expect("client-x")
            await cluster.change(enable_client_messages=False)
            # Client events never wait: the first ones after a change may still be judged by what was known before.
            async with asyncio.timeout(20):
                while "pusher:error" not in await self._events(other):
                    await other.trigger("private-a", "client-x", 2)
            await self._events(one)
            await other.trigger("private-a", "client-x", 3)
            assert "enable_client_messages" in await other.expect_error(4301)
            await one.expect_nothing()

    async def _events(self, client: PusherClient) -> list[str]:
        """Return the events that are on their way to a client."""
        await client.send({"event": "pusher:ping", "data": {}})
        found: list[str] = []
        while "pusher:pong" not in found:
            found.append((await client.receive())["event"])
        return found

    async def test_a_rotated_key_is_replaced_on_every_node(self, cluster: Cluster) -> None:
        async with PusherClient(cluster.first.port) as one, PusherClient(cluster.second.port) as other:
            assert (await PusherClient(cluster.second.port, "new-key").expect_refusal())[0] == 4001
            await cluster.change(key="new-key", secret="new-secret")
            for server in (cluster.first, cluster.second):
                assert (await PusherClient(server.port).expect_refusal())[0] == 4001
                async with PusherClient(server.port, "new-key", "new-secret") as fresh:
                    await fresh.subscribe("private-a")
                assert (await ApiClient(server.port).get("/channels")).status == 401
                await ApiClient(server.port, APP_ID, "new-key", "new-secret").channels()
            # Who is connected needs the new secret as well.
            for client in (one, other):
                await client.ask_for("private-a")
                await client.expect_rejection("private-a", "AuthError", 401)

    async def test_a_deleted_app_lets_nobody_subscribe(self, cluster: Cluster) -> None:
        async with PusherClient(cluster.second.port) as client:
            await cluster.store.delete(APP_ID)
            await announce_apps(cluster.bus.adapter(), [APP_ID])
            await client.ask_for("a")
            await client.expect_rejection("a", "AppError", 4001)
            assert (await PusherClient(cluster.first.port).expect_refusal())[0] == 4001

    async def test_a_new_app_works_although_requested_before(self, cluster: Cluster) -> None:
        for server in (cluster.first, cluster.second):
            assert (await PusherClient(server.port, "app-2-key").expect_refusal())[0] == 4001
        await cluster.store.create(record("app-2"))
        await announce_apps(cluster.bus.adapter(), ["app-2"])
        for server in (cluster.first, cluster.second):
            async with PusherClient(server.port, "app-2-key"):
                pass

    async def test_a_start_with_other_settings_is_told_to_running_nodes(
        self, cluster: Cluster, sqlite_database: AppDatabase
    ) -> None:
        async with PusherClient(cluster.first.port) as client:
            settings = sqlite_database.settings(app(enabled=False))
            async with running_server(adapter=cluster.bus.adapter(), **settings):
                await client.ask_for("a")
                await client.expect_rejection("a", "AppError", 4003)


async def test_the_command_line_tells_the_nodes_over_a_real_bus(
    sqlite_database: AppDatabase, redis_server: RedisProcess, tmp_path: Path
) -> None:
    redis = {
        "driver": "redis",
        "redis": {"prefix": f"{tmp_path.name}:", "redis_pub_options": {"url": redis_server.url}},
    }
    config = sqlite_database.write_config(tmp_path, adapter=redis)
    settings = sqlite_database.settings(app())
    with server_process(tmp_path, **settings, adapter=redis) as server:
        async with PusherClient(server.port) as client:
            await client.subscribe("a")
            command = [
                sys.executable,
                "-m",
                "sockudo",
                "apps",
                "update",
                APP_ID,
                "--set",
                "enabled=no",
                "-c",
                str(config),
            ]
            environ = os.environ | clean_environ()
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, env=environ)
            assert (done.returncode, done.stdout, done.stderr) == (0, f"Updated {APP_ID}.\n", "")

            async def is_refused() -> bool:
                # The bus has a way to go; what is asked for before is still granted.
                await client.ask_for("b")
                frame = await client.receive()
                if frame["event"] != "pusher:subscription_error":
                    return False
                assert frame["data"]["status"] == 4003
                return True

            await until(is_refused, within=5)


@pytest.mark.parametrize("app_database", ["mariadb", "postgres", "cassandra"], indirect=True)
async def test_known_apps_outlive_a_database_that_ends_and_returns(
    app_database: AppDatabase,
) -> None:
    database = app_database.server
    assert database is not None
    async with opened(app_database) as store:
        await store.create(record("unknown"))
        async with running_server(**app_database.settings(app())) as server, PusherClient(server.port) as client:
            assert await up(server) == 200
            await asyncio.to_thread(database.kill)
            try:
                await until(lambda: _is(up(server), 503))
                await client.subscribe("private-a")
                await ApiClient(server.port).trigger("private-a", "works")
                await client.expect("event")
                async with PusherClient(server.port) as another:
                    await another.subscribe("private-a")
                    await another.trigger("private-a", "client-x", 1)
                    await client.expect("client-x")
                assert (await ApiClient(server.port, "unknown").get("/channels")).status == 503
                code, _ = await PusherClient(server.port, "unknown-key").expect_refusal()
                # Not 4001: a client that is told so gives up for ever.
                assert 4100 <= code < 4300
            finally:
                await asyncio.to_thread(database.start)
            await until(lambda: _is(up(server), 200))
            async with PusherClient(server.port, "unknown-key"):
                pass


async def _is(status: Awaitable[int], expected: int) -> bool:
    return await status == expected


def test_an_unusable_database_at_the_start_ends_with_status_2(tmp_path: Path) -> None:
    config = AppDatabase("mysql", ("mysql", {"port": 1, "host": "127.0.0.1"})).write_config(tmp_path)
    command = [sys.executable, "-m", "sockudo", "serve", "-c", str(config), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environ(), check=False, timeout=30)
    assert done.returncode == 2
    assert "The server cannot start: mysql at 127.0.0.1:1 cannot be used (database.mysql): " in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_node_reports_an_apps_clients_on_other_nodes(sqlite_database: AppDatabase) -> None:
    types = ["channel_occupied", "channel_vacated", "subscription_count"]
    async with webhook_receiver() as receiver:
        settings = sqlite_database.settings(app(webhooks=[{"url": receiver.url, "event_types": types}]))
        bus, names = MemoryBus(), [f"news-{number}" for number in range(20)]
        adapters = [bus.adapter() for _ in range(3)]
        async with running_nodes(adapters, webhooks={"hold_ms": 100}, **settings) as servers:
            async with PusherClient(servers[0].port) as client:
                for name in names:
                    await client.subscribe(name)
                expected = {f"{told} {name}" for told in ("channel_occupied", "subscription_count") for name in names}
                await receiver.until(lambda: expected <= set(receiver.names()))
            expected |= {f"channel_vacated {name}" for name in names}
            await receiver.until(lambda: expected == set(receiver.names()))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_flood_of_unknown_keys_leaves_known_apps_served(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database = make_database(kind, request, tmp_path)
    async with running_server(**database.settings(app(), ttl=TTL)) as server:
        api = ApiClient(server.port)
        assert (await api.channels()) == {}
        statuses: list[int] = []
        guesses = 0

        async def guess(number: int) -> None:
            nonlocal guesses
            async with HttpConnection(server.port) as connection:
                while not using.done():
                    guesses += 1
                    await connection.request("GET", f"/apps/nobody-{number}-{guesses}/channels")

        async def use() -> None:
            # So long that the app has to be looked up again, more than once.
            end = asyncio.get_running_loop().time() + 3 * TTL
            while guesses < GUESSES or asyncio.get_running_loop().time() < end:
                statuses.append((await api.trigger("news", "x")).status)
                await asyncio.sleep(0.02)

        using = asyncio.create_task(use())
        await asyncio.gather(using, *(guess(number) for number in range(60)))
        assert set(statuses) == {200}
        async with PusherClient(server.port) as client:
            await client.subscribe("news")
