"""A server that only takes events needs other nodes."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Load, Problems

REFUSED = (
    'api needs an adapter.driver that reaches the nodes with the clients, and adapter.driver is "local": '
    "set another adapter.driver, or server_role to default"
)


@pytest.mark.parametrize("adapter", [{}, {"adapter": {"driver": "local"}}, {"adapter": {"driver": "LOCAL"}}])
@pytest.mark.parametrize("role", ["api", "API"])
def test_the_role_api_needs_a_shared_adapter(adapter: dict[str, Any], role: str, problems_of: Problems) -> None:
    assert problems_of({"server_role": role, **adapter}) == [f"server_role: {REFUSED}"]


def test_the_problem_names_the_variable_that_set_the_role(problems_of: Problems) -> None:
    assert problems_of(environ={"SOCKUDO_SERVER_ROLE": "api"}) == [f"SOCKUDO_SERVER_ROLE (server_role): {REFUSED}"]


@pytest.mark.parametrize(
    "document", [{"server_role": "default"}, {"server_role": "api", "adapter": {"driver": "nats"}}]
)
def test_other_roles_are_in_order(document: dict[str, Any], load_document: Load) -> None:
    assert load_document(document).settings.server_role == document["server_role"]
