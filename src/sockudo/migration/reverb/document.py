"""Converts a configuration of Laravel Reverb, from its JSON or its variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sockudo.migration.conversions import flag, mebibytes, members, text, whole
from sockudo.migration.draft import Draft, NoEqual
from sockudo.migration.reverb import variables as reverb_variables
from sockudo.migration.reverb.apps import convert_apps
from sockudo.migration.reverb.redis import convert_redis

_REQUESTS: Final = "http_api.request_limit_in_mb"
_FOR_LARAVEL: Final = "is for Laravel itself, which keeps it"
_TLS: Final = {"local_cert": "cert_path", "local_pk": "key_path", "passphrase": "passphrase", "cafile": "ca_path"}
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
    inner = document.get("reverb")
    document = inner if isinstance(inner, Mapping) and inner else document
    name, server = _server(document, draft)
    _convert_server(server, f"servers.{name}", draft)
    convert_apps(draft.read("apps", document.get("apps"), members, {}), draft)
    for other in document:
        if other not in ("default", "servers", "apps"):
            draft.remark(other, "is no setting of Reverb")
    return draft


def _server(document: Mapping[str, Any], draft: Draft) -> tuple[str, dict[str, Any]]:
    """The server that Reverb starts, with its name."""
    servers = draft.read("servers", document.get("servers"), members, {})
    name = str(document.get("default") or "reverb")
    name = name if name in servers else "reverb"
    for other in servers:
        if other != name:
            draft.remark(f"servers.{other}", "is not the default server; one process here is one server")
    return name, draft.read(f"servers.{name}", servers.get(name), members, {})


def _convert_server(server: Mapping[str, Any], key: str, draft: Draft) -> None:
    draft.convert(f"{key}.host", server.get("host"), "host", text)
    draft.convert(f"{key}.port", server.get("port"), "port", whole)
    draft.convert(f"{key}.path", server.get("path"), "path_prefix", text)
    _convert_requests(server, f"{key}.max_request_size", draft)
    if server.get("hostname"):
        draft.remark(f"{key}.hostname", "has no equal: the server answers to every name")
    for name in ("pulse_ingest_interval", "telescope_ingest_interval"):
        if server.get(name) is not None:
            draft.remark(f"{key}.{name}", "has no equal: Pulse and Telescope are parts of Laravel")
    _convert_tls(server, f"{key}.options", draft)
    _convert_scaling(draft.read(f"{key}.scaling", server.get("scaling"), members, {}), f"{key}.scaling", draft)
    for other in server:
        if other not in _OF_A_SERVER:
            draft.remark(f"{key}.{other}", "is no setting of a server of Reverb")


def _convert_requests(server: Mapping[str, Any], key: str, draft: Draft) -> None:
    """Convert the limit on bodies; one that cannot be read is the smallest."""
    given = server.get("max_request_size")
    if given not in (None, ""):
        draft.put(_REQUESTS, draft.read(key, given, mebibytes, 1))


def _convert_tls(server: Mapping[str, Any], key: str, draft: Draft) -> None:
    """Convert the TLS of the server's own port. Where it cannot be read, it is on and has no certificate."""
    try:
        tls = members(members(server.get("options")).get("tls"))
    except NoEqual as reason:
        draft.put("ssl.enabled", True)
        draft.remark(key, f"{reason}, and may ask for TLS; write the certificate as ssl.cert_path and ssl.key_path")
        return
    if tls.get("local_cert"):
        draft.put("ssl.enabled", True)
        # PHP takes the key from the file of the certificate where none is named.
        draft.convert(f"{key}.tls.local_pk", tls["local_cert"], "ssl.key_path", text)
    for name, value in tls.items():
        if name in _TLS:
            draft.convert(f"{key}.tls.{name}", value, f"ssl.{_TLS[name]}", text)
        elif value is not None:
            draft.remark(f"{key}.tls.{name}", "has no equal: TLS here has a certificate, a key and authorities")


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
    redis = f"{key}.server"
    convert_redis(draft.read(redis, scaling.get("server"), members, {"url": False}), redis, draft)
