"""The tables of codes, channels and routes are those of the code."""

from __future__ import annotations

import re
from typing import Final

from sockudo.pusher.channels import PUBLIC, kind_of
from sockudo.pusher.codes import Code
from tests.clients.client import http
from tests.servers.server import running_server
from tests.support.pages import section
from tests.support.reactions import Reaction, reaction
from tests.support.source import ROOT, SRC, read_modules

API: Final = ROOT / "docs/http-api.md"
CLIENTS: Final = ROOT / "docs/clients.md"

SHOWN: Final = {
    "give up": Reaction.GIVE_UP,
    "come back after a second or more": Reaction.BACK_OFF,
    "come back at once": Reaction.RECONNECT,
}


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of every table in a text, heads and rules left out."""
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines][1:]


def test_the_close_codes_shown_are_those_that_are_sent() -> None:
    shown = {int(code): what for code, _, what in rows(section(CLIENTS, "## Close codes"))}
    text = "".join(module.text for module in read_modules(SRC).values() if not module.name.endswith(".codes"))
    sent = {int(code) for code in Code if re.search(rf"\bCode\.{code.name}\b", text)}
    assert set(shown) == {code for code in sent if code < 4300}
    for code, what in shown.items():
        assert SHOWN[what] is reaction(code)


def test_the_kinds_of_channels_shown_have_the_flags_shown() -> None:
    shown = [row for row in rows(section(CLIENTS, "## Channels")) if row[0] == "none" or row[0].endswith("-`")]
    assert len(shown) == 9
    for prefix, private, *flags in shown:
        kind = PUBLIC if prefix == "none" else kind_of(prefix.strip("`") + "x")
        if kind.user:
            continue
        assert [private == "yes", *(flag == "yes" for flag in flags)] == [
            kind.private,
            kind.presence,
            kind.encrypted,
            kind.cache,
        ], prefix


async def test_every_route_shown_exists() -> None:
    shown = re.findall(r"`(GET|POST) (/[\w/-]*)`", section(API, "## Routes").partition("\n### ")[0])
    assert len(shown) == 18
    names = {"ID": "1", "CHANNEL": "presence-room", "USER": "7"}
    async with running_server() as server:
        for method, path in shown:
            target = "/".join(names.get(part, part) for part in path.split("/"))
            answer = await http(server.port, method, target)
            # Without a signature, those that need one say so; a path that does not exist would be 404.
            assert answer.status == (401 if target.startswith(("/apps/", "/users/")) else 200), (method, path, answer)
