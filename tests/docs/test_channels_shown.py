"""The table of channels in docs/clients.md holds at a running server, row by row and cell by cell."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.server import app, running_server
from tests.support.pages import section, table_rows
from tests.support.source import ROOT

TEXT: Final = section(ROOT / "docs/clients.md", "## Channels")
ROWS: Final = [row for row in table_rows(TEXT) if len(row) == 5]
KINDS: Final = [(row[0].strip("`").replace("none", ""), *(cell == "yes" for cell in row[1:])) for row in ROWS[:-1]]


def test_the_table_has_every_kind() -> None:
    assert len(KINDS) == 8
    assert ROWS[-1][0] == "`#server-to-user-`"


@pytest.mark.parametrize(("prefix", "is_signed", "has_members", "is_opaque", "keeps"), KINDS)
async def test_a_kind_of_channel_has_the_flags_shown(
    prefix: str, is_signed: bool, has_members: bool, is_opaque: bool, keeps: bool
) -> None:
    channel, member = f"{prefix}room", {"user_id": "ann"} if has_members else None
    async with running_server() as server, PusherClient(server.port) as client:
        await ApiClient(server.port).trigger(channel, "kept")
        await client.send({"event": "pusher:subscribe", "data": {"channel": channel}})
        if is_signed:
            await client.expect_rejection(channel, "AuthError", 401)
            await client.ask_for(channel, member)
        joined = await client.expect("pusher_internal:subscription_succeeded")
        assert ("presence" in json.loads(joined["data"])) is has_members
        if keeps:
            assert (await client.expect("event"))["data"] == "kept"
        await client.expect_nothing()
        await client.trigger(channel, "client-x", {})
        # The server relays nothing that it cannot tell from an encrypted event, and nothing without a signature.
        if is_opaque or not is_signed:
            await client.expect_error(4301)
        await client.expect_nothing()


async def test_the_channel_of_a_user_is_for_that_user() -> None:
    async with running_server(app(enable_user_authentication=True)) as server, PusherClient(server.port) as client:
        await client.ask_for("#server-to-user-ann")
        await client.expect_rejection("#server-to-user-ann", "AuthError", 401)
        await client.sign_in("ann")
        await client.expect("pusher:signin_success")
        await client.ask_for("#server-to-user-bob")
        await client.expect_rejection("#server-to-user-bob", "AuthError", 401)
        assert (await client.subscribe("#server-to-user-ann"))["event"] == "pusher_internal:subscription_succeeded"


async def test_names_have_the_length_and_the_characters_shown() -> None:
    found = re.search(r"A name has up to (\d+) characters: letters, digits and `([^`]+)`", TEXT)
    assert found is not None
    longest, others = int(found[1]), found[2].split()
    async with running_server() as server, PusherClient(server.port) as client:
        for name in ("x" * longest, *(f"a{one}Z9" for one in others)):
            assert (await client.subscribe(name))["event"] == "pusher_internal:subscription_succeeded", name
        strange = sorted(set(map(chr, range(33, 127))) - set(others) - set(map(chr, range(48, 58))))
        strange = [one for one in strange if not one.isalpha()]
        for name in ("x" * (longest + 1), "a b", "ä", *(f"a{one}b" for one in strange)):
            await client.ask_for(name)
            assert (await client.expect("pusher:subscription_error"))["data"]["status"] == 400, name
            await client.expect_error(None)
