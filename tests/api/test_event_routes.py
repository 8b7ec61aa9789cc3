from __future__ import annotations

import pytest

from sockudo.api.event_routes import EventRoutes
from tests.clients.api import Api, error_of


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr("tests.clients.api.Routes", EventRoutes)
    return Api()


def test_events_and_probes_are_answered(api: Api) -> None:
    assert api.post("/events", {"name": "e", "channel": "news", "data": "d"}).status == 200
    assert api.raw("GET", "/ready").status == 200


@pytest.mark.parametrize("path", ["/app/app-key", "/apps/1/channels", "/apps/1/users/7/force_reconnect", "/users/7/x"])
def test_whatever_is_about_clients_is_not_found_with_the_reason(api: Api, path: str) -> None:
    assert error_of(api.raw("GET", path)) == (404, "Not found: this server only takes events (server_role is api)")


def test_other_paths_are_not_found(api: Api) -> None:
    assert error_of(api.raw("GET", "/nowhere")) == (404, "Not found: no such path")
