from __future__ import annotations

import pytest

from sockudo.pusher.codes import Code
from tests.support.reactions import Reaction, reaction


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (4000, Reaction.GIVE_UP),
        (4099, Reaction.GIVE_UP),
        (4100, Reaction.BACK_OFF),
        (4199, Reaction.BACK_OFF),
        (4200, Reaction.RECONNECT),
        (4299, Reaction.RECONNECT),
        (4300, Reaction.REPORT),
        (4399, Reaction.REPORT),
    ],
)
def test_the_hundreds_tell_the_reaction(code: int, expected: Reaction) -> None:
    assert reaction(code) is expected


def test_the_codes_are_those_of_the_protocol() -> None:
    assert [int(code) for code in Code] == [
        *(4000, 4001, 4003, 4004, 4005, 4006, 4007, 4008, 4009),
        *(4100, 4200, 4201, 4202, 4301, 4302),
    ]


def test_no_code_that_is_only_reported_closes() -> None:
    assert {code for code in Code if reaction(code) is Reaction.REPORT} == {
        Code.CLIENT_EVENT_REJECTED,
        Code.WATCHLIST_TOO_LONG,
    }
