"""What client libraries do when a connection closes: the rule behind the close codes, for tests."""

from __future__ import annotations

from enum import StrEnum


class Reaction(StrEnum):
    """What client libraries do when a connection closes with a code."""

    GIVE_UP = "do not reconnect with the same parameters"
    BACK_OFF = "reconnect after a second or more"
    RECONNECT = "reconnect at once"
    REPORT = "report; the connection stays open"


def reaction(code: int) -> Reaction:
    """Return what a client library does on `code` (4000-4399)."""
    if code < 4100:
        return Reaction.GIVE_UP
    if code < 4200:
        return Reaction.BACK_OFF
    if code < 4300:
        return Reaction.RECONNECT
    return Reaction.REPORT
