"""Every statement of docs/migrating.md about what becomes of a configuration, run through the command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from sockudo.apps.origins import AllowedOrigins
from sockudo.cli.main import main
from tests.support.pages import Claims
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/migrating.md"
SETTINGS: Final = Claims(PAGE, "### Settings")
APPS: Final = Claims(PAGE, "### Apps")
REVERB: Final = Claims(PAGE, "## From Laravel Reverb")
APP: Final = {"id": "1", "key": "k", "secret": "s"}

Import = Callable[..., tuple[dict[str, Any], str]]


@pytest.mark.parametrize("claims", [SETTINGS, APPS, REVERB])
def test_every_statement_has_a_test(claims: Claims) -> None:
    assert (claims.unproved(), claims.vanished()) == ([], [])


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Import what is given, and return what is written and what is said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {})

    def run(server: str, given: dict[str, Any] | str) -> tuple[dict[str, Any], str]:
        Path("theirs").write_text(given if isinstance(given, str) else json.dumps(given), encoding="utf-8")
        result = CliRunner().invoke(main, ["import-config", server, "theirs"], prog_name="sockudo")
        return json.loads(result.stdout), result.stderr

    return run


def soketi(**document: Any) -> dict[str, Any]:
    return {"appManager.array.apps": [APP], **document}


def at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def apps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = at(document, "app_manager.array.apps")
    return found


@SETTINGS.proves("Where soketi's configuration is silent")
def test_defaults_of_soketi_are_written(imported: Import) -> None:
    document, _ = imported("soketi", soketi())
    assert (document["shutdown_grace_period"], document["user_authentication_timeout"]) == (3, 30)
    assert at(document, "http_api.request_limit_in_mb") == 100
    assert "PUT" in at(document, "cors.methods")
    assert "X-Socket-Id" in at(document, "cors.allowed_headers")
    assert at(document, "webhooks.batching.enabled") is False
    document, _ = imported("soketi", {"appManager.driver": "postgres"})
    login = {"host": "127.0.0.1", "username": "postgres", "password": "password", "database": "main"}
    assert at(document, "database.postgres") == login | {"table_name": "apps"}


@SETTINGS.proves("Milliseconds become seconds where")
def test_units_are_converted(imported: Import) -> None:
    given = {"shutdownGracePeriod": 2500, "httpApi.acceptTraffic.memoryThreshold": 85}
    document, _ = imported("soketi", soketi(**given))
    assert document["shutdown_grace_period"] == 3
    assert at(document, "http_api.accept_traffic.memory_threshold") == 0.85


@SETTINGS.proves("`adapter.driver` is `local`, `redis` or `nats`")
def test_drivers_have_their_names_here(imported: Import) -> None:
    for name in ("local", "redis", "nats"):
        assert at(imported("soketi", soketi(**{"adapter.driver": name}))[0], "adapter.driver") == name
    for theirs, ours in (("array", "memory"), ("postgres", "pgsql"), ("mysql", "mysql")):
        document, _ = imported("soketi", soketi(**{"appManager.driver": theirs}))
        assert at(document, "app_manager.driver") == ours
    document, _ = imported("soketi", soketi(**{"cache.driver": "redis", "queue.driver": "sync"}))
    assert (at(document, "cache.driver"), at(document, "queue.driver")) == ("redis", "memory")


@SETTINGS.proves("A certificate in `ssl.certPath`")
def test_a_certificate_enables_tls(imported: Import) -> None:
    assert at(imported("soketi", soketi(**{"ssl.certPath": "/c"}))[0], "ssl.enabled") is True


@SETTINGS.proves("The changes that `redisOptions`")
def test_options_of_connections_become_urls(imported: Import) -> None:
    connections = {
        "cache.redis.redisOptions": "cache.redis.url_override",
        "queue.redis.redisOptions": "queue.redis.url_override",
        "adapter.redis.redisPubOptions": "adapter.redis.redis_pub_options.url",
        "adapter.redis.redisSubOptions": "adapter.redis.redis_sub_options.url",
    }
    given = {"database.redis.host": "r.io"} | {key: {"db": 2, "tls": {}} for key in connections}
    document, _ = imported("soketi", soketi(**given))
    assert [at(document, path) for path in connections.values()] == ["rediss://r.io:6379/2"] * 4


@SETTINGS.proves("`queue.sqs.queueUrl` becomes")
def test_a_queue_of_sqs_becomes_its_prefix(imported: Import) -> None:
    options = {"visibilityTimeout": 60, "waitTimeSeconds": 10, "other": 1}
    given = {"queue.sqs.queueUrl": "https://sqs/1/webhooks.fifo", "queue.sqs.consumerOptions": options}
    document, told = imported("soketi", soketi(**given))
    expected = {"queue_url_prefix": "https://sqs/1/", "fifo": True, "visibility_timeout": 60, "wait_time_seconds": 10}
    assert at(document, "queue.sqs") == expected
    assert "queue.sqs.consumerOptions.other: has no equal" in told


@SETTINGS.proves("`adapter.driver` `cluster`, `rateLimiter.driver` other")
def test_drivers_without_an_equal_are_named(imported: Import) -> None:
    given = {"adapter.driver": "cluster", "rateLimiter.driver": "redis", "mode": "worker"}
    _, told = imported("soketi", soketi(**given))
    assert all(f"  {key}: has no equal" in told for key in given)


@APPS.proves("The import also knows soketi's other spellings")
def test_other_spellings_are_known(imported: Import) -> None:
    for name in ("maxConnections", "MaxConnections", "max_connections"):
        (app,) = apps_of(imported("soketi", {"appManager.array.apps": [APP | {name: 7}]})[0])
        assert app["max_connections"] == 7


@APPS.proves("A limit of -1 is left out")
def test_a_limit_of_minus_one_is_left_out(imported: Import) -> None:
    assert apps_of(imported("soketi", {"appManager.array.apps": [APP | {"maxConnections": -1}]})[0]) == [APP]


@APPS.proves("`maxClientEventsPerSecond` of 0")
def test_no_client_events_a_second_switch_them_off(imported: Import) -> None:
    given = APP | {"maxClientEventsPerSecond": 0, "enableClientMessages": True}
    assert apps_of(imported("soketi", {"appManager.array.apps": [given]})[0]) == [
        APP | {"enable_client_messages": False}
    ]


@APPS.proves("An app without an id or a key gets")
def test_an_app_gets_no_secret_that_everybody_knows(imported: Import) -> None:
    document, told = imported("soketi", {"appManager.array.apps": [{"secret": "s"}, {"id": "2", "key": "l"}]})
    assert [app["secret"] for app in apps_of(document)] == ["s"]
    assert "appManager.array.apps.1.secret: is not given" in told


@APPS.proves("In webhooks, `channel_name_starts_with`")
def test_webhooks_keep_their_conditions(imported: Import) -> None:
    hook = {"url": "http://h.io", "event_types": ["cache_miss"]}
    filters = {"channel_name_starts_with": "a-", "channel_name_ends_with": "-z"}
    hooks = [
        hook | {"filter": filters},
        {"event_types": ["cache_miss"], "lambda_function": "f", "lambda": {"region": "eu-west-1"}},
        hook | {"filter": {"channel_type": "private"}},
    ]
    document, told = imported("soketi", {"appManager.array.apps": [APP | {"webhooks": hooks}]})
    first, second = apps_of(document)[0]["webhooks"]
    assert first["filter"] == {"channel_prefix": "a-", "channel_suffix": "-z"}
    assert second["lambda"]["function_name"] == "f"
    assert "webhooks.2: has a filter channel_type" in told


def reverb(**app: Any) -> dict[str, Any]:
    return {"apps": {"apps": [{"app_id": "1", "key": "k", "secret": "s", **app}]}}


@REVERB.proves("An empty list of `allowed_origins`", "A pattern in `allowed_origins`")
def test_origins_that_allow_nobody_allow_nobody_here(imported: Import) -> None:
    for given in ([], ["a.*"], ["a*b*c"]):
        (app,) = apps_of(imported("reverb", reverb(allowed_origins=given))[0])
        assert app["allowed_origins"] == ["https://origin.invalid"]
    (app,) = apps_of(imported("reverb", reverb(allowed_origins=["*.a.io"]))[0])
    assert AllowedOrigins(app["allowed_origins"]).allows("https://x.a.io")


@REVERB.proves("`max_connections` of 0")
def test_no_connections_disable_an_app(imported: Import) -> None:
    assert apps_of(imported("reverb", reverb(max_connections=0))[0])[0]["enabled"] is False


@REVERB.proves("The defaults are those of the file that Reverb installs")
def test_defaults_of_reverb_are_written(imported: Import) -> None:
    document, _ = imported("reverb", "REVERB_APP_ID=1\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=s\n")
    assert (document["port"], document["activity_timeout"], document["websocket_max_payload_kb"]) == (8080, 30, 10)
