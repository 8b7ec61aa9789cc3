"""The apps that client libraries use. The official Python library takes only ids made of digits."""

from __future__ import annotations

from typing import Final

from tests.servers.server import KEY, SECRET, app

APP_ID: Final = "1234567"
DISABLED_ID, DISABLED_KEY = "7654321", "disabled-key"

APP: Final = app(
    id=APP_ID,
    key=KEY,
    secret=SECRET,
    enable_user_authentication=True,
    enable_watchlist_events=True,
    enable_subscription_count=True,
)
DISABLED_APP: Final = app(id=DISABLED_ID, key=DISABLED_KEY, secret=SECRET, enabled=False)
