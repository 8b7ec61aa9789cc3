"""Reads the variables of Laravel's `config/reverb.php` into the configuration that it makes of them.

The names and the defaults are those of the file that Laravel Reverb installs. If you have
changed that file, import the configuration that it produces, not the variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Where in the configuration a variable ends up, and what is there without it.
SERVER: Final[dict[str, tuple[str, Any]]] = {
    "REVERB_SERVER_HOST": ("host", "0.0.0.0"),
    "REVERB_SERVER_PORT": ("port", 8080),
    "REVERB_SERVER_PATH": ("path", ""),
    "REVERB_HOST": ("hostname", None),
    "REVERB_MAX_REQUEST_SIZE": ("max_request_size", 10_000),
    "REVERB_PULSE_INGEST_INTERVAL": ("pulse_ingest_interval", None),
    "REVERB_TELESCOPE_INGEST_INTERVAL": ("telescope_ingest_interval", None),
}
SCALING: Final[dict[str, tuple[str, Any]]] = {
    "REVERB_SCALING_ENABLED": ("enabled", False),
    "REVERB_SCALING_CHANNEL": ("channel", "reverb"),
}
REDIS: Final[dict[str, tuple[str, Any]]] = {
    "REDIS_URL": ("url", None),
    # The installed file does not read it. Whoever sets it wants TLS, which must not be lost.
    "REDIS_SCHEME": ("scheme", None),
    "REDIS_HOST": ("host", "127.0.0.1"),
    "REDIS_PORT": ("port", 6379),
    "REDIS_USERNAME": ("username", None),
    "REDIS_PASSWORD": ("password", None),
    "REDIS_DB": ("database", 0),
    "REDIS_TIMEOUT": ("timeout", None),
}
APP: Final[dict[str, tuple[str, Any]]] = {
    "REVERB_APP_ID": ("app_id", None),
    "REVERB_APP_KEY": ("key", None),
    "REVERB_APP_SECRET": ("secret", None),
    "REVERB_APP_PING_INTERVAL": ("ping_interval", None),
    "REVERB_APP_ACTIVITY_TIMEOUT": ("activity_timeout", 30),
    "REVERB_APP_MAX_CONNECTIONS": ("max_connections", None),
    "REVERB_APP_MAX_MESSAGE_SIZE": ("max_message_size", 10_000),
    "REVERB_APP_ACCEPT_CLIENT_EVENTS_FROM": ("accept_client_events_from", "members"),
}
RATE_LIMITING: Final[dict[str, tuple[str, Any]]] = {
    "REVERB_APP_RATE_LIMITING_ENABLED": ("enabled", False),
    "REVERB_APP_RATE_LIMIT_MAX_ATTEMPTS": ("max_attempts", 60),
    "REVERB_APP_RATE_LIMIT_DECAY_SECONDS": ("decay_seconds", 60),
    "REVERB_APP_RATE_LIMIT_TERMINATE": ("terminate_on_limit", False),
}
_WORDS: Final[dict[str, str | None]] = {"null": None, "(null)": None, "empty": "", "(empty)": ""}
# How Laravel reaches the server as a publisher: the first two are also in what it tells browsers.
FOR_LARAVEL: Final = frozenset({"REVERB_HOST", "REVERB_PORT", "REVERB_SCHEME"})
KNOWN: Final = frozenset({*SERVER, *SCALING, *APP, *RATE_LIMITING, *FOR_LARAVEL, "REVERB_SERVER"})


def configuration(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return what the installed `config/reverb.php` makes of the variables."""
    server = _section(SERVER, variables)
    server["scaling"] = _section(SCALING, variables) | {"server": _section(REDIS, variables)}
    app = _section(APP, variables)
    app["allowed_origins"] = ["*"]
    app["rate_limiting"] = _section(RATE_LIMITING, variables)
    return {"servers": {"reverb": server}, "apps": {"provider": "config", "apps": [app]}}


def _section(names: Mapping[str, tuple[str, Any]], variables: Mapping[str, str]) -> dict[str, Any]:
    return {key: _value(variables.get(name), default) for name, (key, default) in names.items()}


def _value(text: str | None, default: Any) -> Any:
    """What Laravel's `env` makes of a variable; true and false are understood later."""
    if text is None:
        return default
    return _WORDS.get(text.lower(), text)
