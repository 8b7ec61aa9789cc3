from __future__ import annotations

import pytest

from sockudo.node.limits import NodeLimits


def test_the_defaults_are_those_of_the_protocol_and_the_documentation() -> None:
    limits = NodeLimits()
    assert (limits.activity_timeout, limits.pong_timeout) == (120, 30)
    assert (limits.user_authentication_timeout, limits.cache_ttl) == (3600, 3600)


def test_limits_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        NodeLimits().pong_timeout = 1  # type: ignore[misc]  # what the type forbids is what is tried
