"""What two servers on a bus must be for those who use them: one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sockudo.bus.base import Adapter
from sockudo.cluster.visitors import roll_call
from tests.clients.client import ApiClient, PusherClient
from tests.servers.server import running_server


async def check_that_two_servers_are_one(adapters: Sequence[Adapter]) -> None:
    """Serve with the first two of three adapters that are not started, and use both servers; the third one asks."""
    async with (
        running_server(adapter=adapters[0]) as first,
        running_server(adapter=adapters[1]) as second,
        PusherClient(first.port) as ann,
        PusherClient(second.port) as bob,
    ):
        await ann.subscribe("presence-room", {"user_id": "ann"})
        await bob.subscribe("presence-room", {"user_id": "bob"})
        joined = await sooner_or_later(ann, "pusher_internal:member_added")
        assert '"bob"' in str(joined["data"])
        await bob.trigger("presence-room", "client-typing", {"a": 1})
        assert (await ann.expect("client-typing"))["user_id"] == "bob"
        event = {"name": "news", "channel": "presence-room", "data": "x" * 50_000}
        for server in (first, second):
            assert (await ApiClient(server.port).post("/events", event)).status == 200
            for client in (ann, bob):
                assert (await sooner_or_later(client, "news"))["data"] == "x" * 50_000
        found = await roll_call(adapters[2], 0.5)
        assert [node.connections for node in found.values()] == [1, 1]


async def sooner_or_later(client: PusherClient, event: str) -> dict[str, Any]:
    """Return the next frame that is this event: another member may be in the roster already, or be told of later."""
    while (frame := await client.receive())["event"] != event:
        assert frame["event"] == "pusher_internal:member_added", frame
    return frame
