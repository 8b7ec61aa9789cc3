"""What every adapter must do when its bus dies, freezes and comes back, and is not what it should be."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, Final, NamedTuple

import pytest
from structlog.testing import capture_logs

from sockudo.bus.base import Adapter
from sockudo.bus.broker.adapter import BrokerAdapter
from sockudo.bus.broker.pieces import LONGEST_MESSAGE
from sockudo.errors import DriverError
from tests.contracts.adapter import joined
from tests.fakes.inbox import WAIT, RecordingInbox
from tests.fakes.stranger import stranger
from tests.servers.broker_process import BrokerProcess
from tests.servers.ports import free_port

# What no error and no log line may hold.
SECRET: Final = "hidden-S3cret"

Nodes = list[tuple[Adapter, RecordingInbox]]


class Foreign(NamedTuple):
    """What a server of another kind says, and how an adapter calls that."""

    greeting: bytes
    problem: str


class Unusable(NamedTuple):
    """Options that cannot be used, and a pattern of the problem."""

    options: dict[str, Any]
    problem: str


class AdapterFaultContract:
    """Subclass it for a driver; give `server`, a started one of this test's own, and `adapters`, two on it.

    Both must note a bus that is silent within a few seconds.
    """

    @pytest.fixture
    def server(self) -> BrokerProcess:
        raise NotImplementedError

    @pytest.fixture
    def adapters(self, server: BrokerProcess) -> list[Adapter]:
        raise NotImplementedError

    @pytest.fixture
    async def nodes(self, adapters: list[Adapter]) -> AsyncIterator[Nodes]:
        """Two started nodes; the second has joined "t"."""
        nodes = [(adapter, RecordingInbox()) for adapter in adapters]
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        await joined(nodes[1][0], "t")
        yield nodes
        for adapter, _ in nodes:
            await adapter.aclose()

    async def test_a_bus_that_died_is_told_once_and_topics_rejoined(self, server: BrokerProcess, nodes: Nodes) -> None:
        (first, _), (second, heard) = nodes
        await joined(second, "u")
        await lose(server.kill, nodes)
        assert not first.is_connected
        assert not second.is_connected
        await restore(server.start, nodes)
        assert first.is_connected
        assert second.is_connected
        for topic in ("t", "u"):
            first.publish(topic, b"1")
        assert sorted(await heard.wait_for_messages(2)) == [("t", b"1"), ("u", b"1")]
        assert [(len(inbox.losses), inbox.restorations) for _, inbox in nodes] == [(1, 1), (1, 1)]
        assert all(heard.losses)

    async def test_a_frozen_bus_is_lost_and_used_again_later(self, server: BrokerProcess, nodes: Nodes) -> None:
        (first, _), (_, heard) = nodes
        await lose(server.freeze, nodes)
        await restore(server.thaw, nodes)
        first.publish("t", b"1")
        assert (await heard.wait_for_messages(1))[-1] == ("t", b"1")

    async def test_topics_may_be_joined_and_left_during_an_outage(self, server: BrokerProcess, nodes: Nodes) -> None:
        (first, _), (second, heard) = nodes
        await lose(server.kill, nodes)
        for topic in ("new", "new", "t"):
            confirmed = second.subscribe(topic)
            assert confirmed is not None
            assert confirmed.done()
        second.unsubscribe("t")
        await restore(server.start, nodes)
        for topic in ("t", "new"):
            first.publish(topic, b"1")
        assert await heard.wait_for_messages(1) == [("new", b"1")]

    async def test_joining_is_confirmed_when_the_bus_is_lost_meanwhile(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        second = nodes[1][0]
        server.freeze()
        asked = [one for one in (second.subscribe("new"), second.subscribe("t")) if one is not None]
        assert [one.done() for one in asked] == [False, False]
        await asyncio.wait_for(asyncio.gather(*asked), WAIT)
        await restore(server.thaw, nodes)

    async def test_what_was_published_while_the_bus_was_lost_never_arrives(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        (first, _), (_, heard) = nodes
        await lose(server.kill, nodes)
        for _ in range(10):
            first.publish("t", b"stale")
        await restore(server.start, nodes)
        first.publish("t", b"fresh")
        assert await heard.wait_for_messages(1) == [("t", b"fresh")]
        assert getattr(first, "dropped") == 10  # noqa: B009  # every driver counts, and the interface does not say so

    async def test_messages_are_neither_doubled_nor_reordered_by_losses(
        self, server: BrokerProcess, nodes: Nodes
    ) -> None:
        (first, _), (_, heard) = nodes
        published = 0

        async def publish() -> None:
            nonlocal published
            while True:
                for _ in range(5):
                    first.publish("t", b"%d" % published)
                    published += 1
                await asyncio.sleep(0.001)

        publishing = asyncio.create_task(publish())
        await heard.wait_for_messages(50)
        await lose(server.freeze, nodes)
        await restore(server.thaw, nodes)
        await heard.wait_for_messages(len(heard.messages) + 50)
        await lose(server.kill, nodes)
        await restore(server.start, nodes)
        await heard.wait_for_messages(len(heard.messages) + 50)
        publishing.cancel()
        await asyncio.wait([publishing])
        numbers = [int(data) for _, data in heard.messages]
        assert numbers == sorted(set(numbers))

    async def test_closing_does_not_wait_for_a_bus_that_is_lost(self, server: BrokerProcess, nodes: Nodes) -> None:
        await lose(server.kill, nodes)
        for adapter, _ in nodes:
            # Less than a connection may take to close.
            await asyncio.wait_for(adapter.aclose(), 4)
            assert not adapter.is_connected


class BrokerFaultContract(AdapterFaultContract):
    """The same for a `BrokerAdapter`, which is told of one broker or several.

    Subclass it for a driver; give `server` and `stays`, which is another broker that tests leave as it is, the cases of
    `foreign` and `unusable` as parameters, and what an address is.

    Attributes:
        setting: where the addresses are.
        scheme: what an address begins with.
        is_asked_first: whether a broker says nothing before it is asked.
        many: topics that all must be joined again.
    """

    setting: ClassVar[str]
    scheme: ClassVar[str] = ""
    is_asked_first: ClassVar[bool] = False
    many: ClassVar[int] = 1000

    @pytest.fixture
    def stays(self) -> BrokerProcess:
        raise NotImplementedError

    @pytest.fixture
    def foreign(self) -> Foreign:
        raise NotImplementedError

    @pytest.fixture
    def unusable(self) -> Unusable:
        raise NotImplementedError

    def an_adapter(self, *addresses: str, **options: Any) -> BrokerAdapter[Any, Any]:
        """Return an adapter that soon notes a silent broker."""
        raise NotImplementedError

    def with_secret(self, address: str) -> BrokerAdapter[Any, Any]:
        """Return an adapter that logs in with `SECRET`."""
        raise NotImplementedError

    def address(self, server: BrokerProcess) -> str:
        """Return how an adapter is told of a broker."""
        raise NotImplementedError

    @pytest.fixture
    def adapters(self, server: BrokerProcess) -> list[Adapter]:
        prefix = uuid.uuid4().hex
        return [self.an_adapter(self.address(server), prefix=prefix) for _ in range(2)]

    @pytest.fixture(autouse=True)
    def _patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Look for a broker that is restarting more often than a node does."""
        monkeypatch.setattr("sockudo.timing.backoff.LONGEST_DELAY", 0.2)

    async def test_an_unreachable_broker_at_the_start_is_an_error(self) -> None:
        address = f"{self.scheme}127.0.0.1:{free_port()}"
        assert f"{self.setting}: {address}: " in await start_fails(self.with_secret(address))

    async def test_a_broker_that_says_nothing_is_an_error(self) -> None:
        async with stranger(b"") as port:
            adapter = self.an_adapter(f"{self.scheme}127.0.0.1:{port}", connection_timeout_ms=200)
            assert "no answer in 0.2 s" in await start_fails(adapter)

    async def test_a_server_of_another_kind_is_an_error(self, foreign: Foreign) -> None:
        async with stranger(foreign.greeting, is_asked_first=self.is_asked_first) as port:
            assert foreign.problem in await start_fails(self.an_adapter(f"{self.scheme}127.0.0.1:{port}"))

    async def test_settings_that_cannot_be_used_are_an_error(self, unusable: Unusable) -> None:
        assert re.search(unusable.problem, await start_fails(self.an_adapter(**unusable.options)))

    async def test_the_next_broker_is_asked_when_one_is_silent(
        self, server: BrokerProcess, stays: BrokerProcess
    ) -> None:
        server.freeze()
        adapter = self.an_adapter(self.address(server), self.address(stays))
        await adapter.start(RecordingInbox())
        assert adapter.is_connected
        await adapter.aclose()

    @pytest.mark.parametrize("fault", ["kill", "freeze"])
    async def test_the_next_broker_is_used_when_one_is_gone(
        self, fault: str, server: BrokerProcess, stays: BrokerProcess
    ) -> None:
        prefix = uuid.uuid4().hex
        adapter, heard = self.an_adapter(self.address(server), self.address(stays), prefix=prefix), RecordingInbox()
        other = self.an_adapter(self.address(stays), prefix=prefix)
        await adapter.start(heard)
        await other.start(RecordingInbox())
        await joined(adapter, "t")
        await asyncio.to_thread(getattr(server, fault))
        await heard.wait_for_restoration()
        other.publish("t", b"1")
        assert await heard.wait_for_messages(1) == [("t", b"1")]
        await adapter.aclose()
        await other.aclose()

    async def test_a_broker_that_does_not_keep_up_is_lost(
        self, server: BrokerProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sockudo.bus.broker.connection.MOST_UNSENT", 100_000)
        adapter, inbox = self.an_adapter(self.address(server), request_timeout_ms=30_000), RecordingInbox()
        await adapter.start(inbox)
        server.freeze()
        for _ in range(200):
            adapter.publish("t", b"x" * 100_000)
        await inbox.wait_for_loss()
        assert inbox.losses == ["100000 bytes wait for the server"]
        server.thaw()
        await inbox.wait_for_restoration()
        await adapter.aclose()

    async def test_closing_while_connecting_again_ends_it(self, server: BrokerProcess) -> None:
        adapter, inbox = self.an_adapter(self.address(server), connection_timeout_ms=30_000), RecordingInbox()
        await adapter.start(inbox)
        server.freeze()
        await inbox.wait_for_loss()
        await asyncio.wait_for(adapter.aclose(), 4)

    async def test_all_topics_are_joined_before_the_bus_is_back(self, server: BrokerProcess) -> None:
        prefix = uuid.uuid4().hex
        adapter, heard = self.an_adapter(self.address(server), prefix=prefix), RecordingInbox()
        await adapter.start(heard)
        topics = [f"t{number}" for number in range(self.many)]
        await asyncio.gather(*(joined(adapter, topic) for topic in topics))
        await lose(server.kill, [(adapter, heard)])
        await restore(server.start, [(adapter, heard)])
        other = self.an_adapter(self.address(server), prefix=prefix)
        await other.start(RecordingInbox())
        for topic in topics:
            other.publish(topic, b"x")
        assert {topic for topic, _ in await heard.wait_for_messages(self.many)} == set(topics)
        await other.aclose()
        await adapter.aclose()

    async def test_a_message_beyond_all_limits_is_refused_and_logged(self, stays: BrokerProcess) -> None:
        adapter = self.an_adapter(self.address(stays))
        await adapter.start(RecordingInbox())
        with capture_logs() as logs:
            adapter.publish("t", bytes(LONGEST_MESSAGE + 1))
        assert adapter.too_long == 1
        assert logs[0]["limit"] == LONGEST_MESSAGE
        await adapter.aclose()


async def start_fails(adapter: Adapter, *secrets: str) -> str:
    """Start an adapter in vain; return the error, which holds no secret."""
    with pytest.raises(DriverError) as caught:
        await adapter.start(RecordingInbox())
    assert not adapter.is_connected
    await adapter.aclose()
    problem = str(caught.value)
    assert not [secret for secret in (SECRET, *secrets) if secret in problem]
    return problem


async def lose(action: Callable[[], None], nodes: Nodes) -> None:
    """Do something to the server and wait until every node has noted that the bus is gone."""
    counts = [len(inbox.losses) for _, inbox in nodes]
    await asyncio.to_thread(action)
    for (_, inbox), count in zip(nodes, counts, strict=True):
        await inbox.wait_for_loss(count + 1)


async def restore(action: Callable[[], None], nodes: Nodes) -> None:
    """Do something to the server and wait until every node that lost the bus has it back."""
    await asyncio.to_thread(action)
    for _, inbox in nodes:
        await inbox.wait_for_restoration(len(inbox.losses))
