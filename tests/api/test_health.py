from __future__ import annotations

import pytest

from sockudo.api.health import HealthHandlers
from sockudo.api.messages import Response
from sockudo.apps.memory import MemoryAppManager
from sockudo.eventual import Eventual
from sockudo.node.memory import Memory
from sockudo.server.health import HealthChecks
from tests.clients.api import json_of
from tests.fakes.eventual import now
from tests.fakes.gates import FakeGates
from tests.fakes.node import make_app

NOTHING = Memory(0, 0)


def handlers(*apps: bool, draining: bool = False, memory: Memory = NOTHING) -> HealthHandlers:
    """Return handlers of a node with apps that are enabled or not; their ids are "0", "1" ..."""
    made = [make_app(id=str(number), key=f"key-{number}", enabled=enabled) for number, enabled in enumerate(apps)]
    return HealthHandlers(HealthChecks(MemoryAppManager(made), FakeGates(draining)), lambda: memory)


def told(answer: Eventual[Response]) -> tuple[int, str]:
    response = now(answer)
    word = response.body.decode()
    assert dict(response.headers) == {"X-Health-Check": word.partition(":")[0]}
    assert response.content_type.startswith("text/plain")
    return response.status, word


def test_a_node_with_apps_is_up() -> None:
    assert told(handlers(True).up()) == (200, "OK")


def test_a_node_without_apps_is_not_up() -> None:
    assert told(handlers().up()) == (503, "ERROR")


def test_a_node_that_leaves_or_cannot_serve_is_not_ready() -> None:
    assert told(handlers(True).ready()) == (200, "OK")
    assert told(handlers().ready()) == (503, "ERROR: app manager unusable; the log says why")
    assert told(handlers(True, draining=True).ready()) == (503, "DRAINING: the server shuts down")


def test_a_node_that_leaves_is_alive() -> None:
    response = handlers(draining=True).live()
    assert (response.status, response.body) == (200, b"")


def test_a_node_that_leaves_is_not_up() -> None:
    assert told(handlers(True, draining=True).up()) == (503, "DRAINING")
    assert told(handlers(True, draining=True).up_app("0")) == (503, "DRAINING")


@pytest.mark.parametrize(
    ("app_id", "expected"),
    [("0", (200, "OK")), ("1", (503, "ERROR")), ("2", (404, "NOT_FOUND")), ("", (404, "NOT_FOUND"))],
)
def test_an_app_is_up_disabled_or_unknown(app_id: str, expected: tuple[int, str]) -> None:
    assert told(handlers(True, False).up_app(app_id)) == expected


def test_usage_is_told_in_bytes_and_percent() -> None:
    usage = handlers(memory=Memory(total=3000, used=1000)).usage()
    assert json_of(usage) == {"memory": {"free": 2000, "used": 1000, "total": 3000, "percent": 33.33}}
    assert json_of(handlers().usage()) == {"memory": {"free": 0, "used": 0, "total": 0, "percent": 0.0}}


def test_the_machines_memory_is_reported_by_default() -> None:
    memory = json_of(HealthHandlers(HealthChecks(MemoryAppManager([]), FakeGates())).usage())["memory"]
    assert 0 <= memory["percent"] <= 100
    assert memory["free"] + memory["used"] == memory["total"]
