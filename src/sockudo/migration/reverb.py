"""The configuration of Laravel Reverb, resolved or as variables -> ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sockudo.migration import reverb_variables
from sockudo.migration.conversions import Conversion, flag, mebibytes, members, milliseconds, text, whole
from sockudo.migration.draft import Draft, NoEqual
from sockudo.migration.reverb_apps import convert_apps

_REQUESTS: Final = "http_api.request_limit_in_mb"
_FOR_LARAVEL: Final = "is for Laravel itself, which keeps it"
_TLS: Final = {"local_cert": "cert_path", "local_pk": "key_path", "passphrase": "passphrase", "cafile": "ca_path"}
_REDIS: Final[Mapping[str, tuple[str, Conversion]]] = {
    "url": ("adapter.redis.redis_pub_options.url", text),
    "host": ("database.redis.host", text),
    "port": ("database.redis.port", whole),
    "username": ("database.redis.username", text),
    "password": ("database.redis.password", text),
    "database": ("database.redis.db", whole),
    "timeout": ("adapter.redis.requests_timeout", milliseconds),
}
_OF_A_SERVER: Final = frozenset(
    {
        "host",
        "port",
        "path",
        "hostname",
        "options",
        "max_request_size",
        "scaling",
        "pulse_ingest_interval",
        "telescope_ingest_interval",
    }
)


def from_variables(variables: Mapping[str, str]) -> Draft:
    """Convert what an `.env` file says; what is not Reverb's in it is not looked at."""
    draft = from_document(reverb_variables.configuration(variables))
    names = {
        **{f"servers.reverb.{key}": name for name, (key, _) in reverb_variables.SERVER.items()},
        **{f"servers.reverb.scaling.{key}": name for name, (key, _) in reverb_variables.SCALING.items()},
        **{f"servers.reverb.scaling.server.{key}": name for name, (key, _) in reverb_variables.REDIS.items()},
        **{f"apps.apps.0.{key}": name for name, (key, _) in reverb_variables.APP.items()},
        **{f"apps.apps.0.rate_limiting.{key}": name for name, (key, _) in reverb_variables.RATE_LIMITING.items()},
        "apps.apps.0.rate_limiting": "REVERB_APP_RATE_LIMITING_ENABLED",
    }
    draft.rename(names)
    for name in ("REVERB_PORT", "REVERB_SCHEME"):
        if variables.get(name):
            draft.remark(name, _FOR_LARAVEL)
    for name in variables:
        if name.startswith("REVERB_") and name not in reverb_variables.KNOWN:
            draft.remark(name, "is not read by the config/reverb.php that Reverb installs")
    return draft


def from_document(document: Mapping[str, Any]) -> Draft:
    """Convert the resolved configuration, `config('reverb')` as JSON, perhaps below a key `reverb`."""
    draft = Draft()
    try:
        document = members(document.get("reverb")) or document
        name, server = _server(document, draft)
        _convert_server(server, f"servers.{name}", draft)
        convert_apps(members(document.get("apps")), draft)
    except NoEqual as reason:
        draft.remark("reverb", f"one of its sections {reason}")
    for other in document:
        if other not in ("default", "servers", "apps"):
            draft.remark(other, "is no setting of Reverb")
    return draft


def _server(document: Mapping[str, Any], draft: Draft) -> tuple[str, dict[str, Any]]:
    """The server that Reverb starts, with its name."""
    servers = members(document.get("servers"))
    name = str(document.get("default") or "reverb")
    name = name if name in servers else "reverb"
    for other in servers:
        if other != name:
            draft.remark(f"servers.{other}", "is not the default server; one process here is one server")
    return name, members(servers.get(name))


def _convert_server(server: Mapping[str, Any], key: str, draft: Draft) -> None:
    draft.convert(f"{key}.host", server.get("host"), "host", text)
    draft.convert(f"{key}.port", server.get("port"), "port", whole)
    draft.convert(f"{key}.path", server.get("path"), "path_prefix", text)
    draft.convert(f"{key}.max_request_size", server.get("max_request_size"), _REQUESTS, mebibytes)
    if server.get("hostname"):
        draft.remark(f"{key}.hostname", "has no equal: the server answers to every name")
    for name in ("pulse_ingest_interval", "telescope_ingest_interval"):
        if server.get(name) is not None:
            draft.remark(f"{key}.{name}", "has no equal: Pulse and Telescope are parts of Laravel")
    _convert_tls(members(server.get("options")), key, draft)
    _convert_scaling(members(server.get("scaling")), f"{key}.scaling", draft)
    for other in server:
        if other not in _OF_A_SERVER:
            draft.remark(f"{key}.{other}", "is no setting of a server of Reverb")


def _convert_tls(options: Mapping[str, Any], key: str, draft: Draft) -> None:
    tls = members(options.get("tls"))
    if tls.get("local_cert"):
        draft.put("ssl.enabled", True)
        # PHP takes the key from the file of the certificate where none is named.
        draft.convert(f"{key}.options.tls.local_pk", tls["local_cert"], "ssl.key_path", text)
    for name, value in tls.items():
        if name in _TLS:
            draft.convert(f"{key}.options.tls.{name}", value, f"ssl.{_TLS[name]}", text)
        elif value is not None:
            draft.remark(f"{key}.options.tls.{name}", "has no equal: TLS here has a certificate, a key and authorities")


def _convert_scaling(scaling: Mapping[str, Any], key: str, draft: Draft) -> None:
    """Let nodes meet at the Redis that Reverb publishes through; without scaling, it is not Reverb's at all."""
    try:
        if not flag(scaling.get("enabled")):
            return
    except NoEqual as reason:
        draft.remark(f"{key}.enabled", str(reason))
        return
    draft.put("adapter.driver", "redis")
    draft.convert(f"{key}.channel", scaling.get("channel"), "adapter.redis.prefix", lambda channel: f"{text(channel)}:")
    server = members(scaling.get("server"))
    for name, (path, conversion) in _REDIS.items():
        draft.convert(f"{key}.server.{name}", server.get(name), path, conversion)
    for other in server:
        if other not in _REDIS:
            draft.remark(f"{key}.server.{other}", "has no equal among the options of a connection here")
