"""What SIGUSR1 writes to the log."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from sockudo.server.diagnosis import Diagnosis
from tests.clients.client import ApiClient, PusherClient
from tests.clients.raw import RawWebSocket
from tests.fakes.memory_bus import MemoryBus
from tests.servers.server import RunningServer, running_server
from tests.support.waiting import eventually


async def diagnosis_of(server: RunningServer) -> dict[str, Any]:
    """Return the lines of a diagnosis by what they are about."""
    one = Diagnosis(server.assembly.front, server.assembly.node)
    with capture_logs() as lines:
        one.begin()
        one.begin()
        await one.written()
    told = [line for line in lines if line["event"].startswith("diagnosis: ")]
    assert len(told) == 5
    return {line["event"].removeprefix("diagnosis: "): line for line in told}


async def test_it_tells_sockets_channels_and_lag() -> None:
    async with running_server() as server, PusherClient(server.port) as ann, PusherClient(server.port) as bob:
        for client, channels in ((ann, ("news", "sports")), (bob, ("news",))):
            for channel in channels:
                await client.subscribe(channel)
        told = await diagnosis_of(server)
    assert told["sockets"]["websocket"] == {"open": 2}
    assert [(one["channel"], one["subscribers"]) for one in told["busiest channels"]["channels"]] == [
        ("news", 2),
        ("sports", 1),
    ]
    assert told["process"]["loop_lag_ms"]["largest"] >= told["process"]["loop_lag_ms"]["mean"] >= 0
    assert told["process"]["tasks"] >= 1


async def test_its_lists_are_bounded() -> None:
    async with running_server() as server, PusherClient(server.port) as client:
        for number in range(15):
            await client.subscribe(f"channel-{number}")
        told = await diagnosis_of(server)
    assert (told["busiest channels"]["count"], len(told["busiest channels"]["channels"])) == (15, 10)


async def test_it_shows_other_nodes_and_no_user_data() -> None:
    bus = MemoryBus()
    async with (
        running_server(adapter=bus.adapter()) as server,
        running_server(adapter=bus.adapter()) as other,
        PusherClient(other.port) as client,
    ):
        await client.subscribe("presence-room", {"user_id": "ann", "user_info": {"name": "HIDDEN"}})
        replica = server.assembly.node.peers.replica

        async def knows() -> bool:
            return bool(replica.app_ids() and replica.channels("1"))

        await eventually(knows)
        told = await diagnosis_of(server)
    (app,) = told["other nodes"]["apps"]
    assert (told["other nodes"]["nodes"], app["channels"], app["members"]) == (1, 1, 1)
    assert "HIDDEN" not in repr(told)


async def test_it_tells_the_largest_outboxes_first() -> None:
    async with (
        running_server(websocket={"max_buffer_kb": 10_000}) as server,
        RawWebSocket(server.port, receive_buffer=4096) as slow,
        RawWebSocket(server.port, receive_buffer=4096) as slower,
    ):
        await slow.subscribe("news")
        await slower.subscribe("sports")
        api = ApiClient(server.port)
        sockets = server.assembly.front.websockets.sockets
        while not all(socket.unsent_bytes for socket in sockets):
            for channel, size in (("news", 20_000), ("sports", 40_000)):
                await api.trigger(channel, "x" * size)
        outboxes = (await diagnosis_of(server))["largest outboxes"]["outboxes"]
    sizes = [one["bytes"] for one in outboxes]
    assert sizes == sorted(sizes, reverse=True)
    assert [set(one) for one in outboxes] == [{"app", "socket_id", "bytes"}] * 2
