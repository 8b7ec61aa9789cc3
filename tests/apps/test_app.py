from __future__ import annotations

from tests.fakes.node import SECRET, make_app


def test_an_app_does_not_show_its_secret() -> None:
    app = make_app()
    assert SECRET not in repr(app)
    assert "signer" not in repr(app)


def test_apps_are_told_apart_by_identity() -> None:
    assert make_app() != make_app()
    assert len({make_app(), make_app()}) == 2


def test_what_is_left_open_is_enabled_and_unlimited_and_off() -> None:
    app = make_app(enable_client_messages=False)
    assert app.enabled
    assert (app.max_connections, app.max_client_events_per_second) == (0, 0)
    assert (app.max_backend_events_per_second, app.max_read_requests_per_second, app.origins) == (None, None, None)
    switches = (app.enable_user_authentication, app.enable_watchlist_events, app.enable_subscription_count)
    assert switches == (False, False, False)
    assert (app.max_presence_members, app.max_presence_member_bytes) == (100, 2048)
