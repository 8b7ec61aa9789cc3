"""Rules on `server_role`: a server that only takes events needs other nodes, which have the clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import InitErrorDetails

from sockudo.config.kinds.rules import rule_broken


def lonely_roles(document: Any) -> Iterator[InitErrorDetails]:
    """Yield a problem where a raw configuration has `server_role` api and nothing that reaches other nodes."""
    if not isinstance(document, Mapping) or _word(document.get("server_role")) != "api":
        return
    adapter = document.get("adapter")
    driver = adapter.get("driver") if isinstance(adapter, Mapping) else None
    if driver is None or _word(driver) == "local":
        yield rule_broken(
            ["server_role"],
            'api needs an adapter.driver that reaches the nodes with the clients, and adapter.driver is "local": '
            "set another adapter.driver, or server_role to default",
        )


def _word(value: Any) -> str | None:
    return value.strip().lower() if isinstance(value, str) else None
