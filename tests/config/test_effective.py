"""What `check-config --show` is made of: each value with where it came from, and nothing that is secret."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from sockudo.cli.show_config import as_json, as_table
from sockudo.config.checks.unknown import is_environment_only, item_section_of, setting_paths
from sockudo.config.effective import Effective, effective, shown
from sockudo.config.kinds.addresses import NatsAddress, RedisAddress, RedisHost, RedisNode
from sockudo.config.kinds.rabbit_urls import RabbitUrl
from sockudo.config.kinds.section import Section, key_of, section_of
from sockudo.config.kinds.values import Check
from sockudo.config.kinds.web_values import WebUrl
from sockudo.config.load import Loaded, load
from sockudo.config.model import Settings

from .conftest import Load

APP = {"id": "a", "key": "k", "secret": "s"}


def of(loaded: Loaded, path: str) -> Effective:
    (found,) = [one for one in effective(loaded) if one.path == path]
    return found


def test_every_setting_is_listed_once(load_document: Load) -> None:
    paths = [one.path for one in effective(load_document())]

    assert paths == list(setting_paths(Settings))


def test_a_value_comes_from_the_last_that_set_it(load_document: Load) -> None:
    loaded = load_document({"port": 1, "host": "f", "mode": "f"}, {"PORT": "2", "HOST": "e"}, {"port": "3"})
    file = str(loaded.config_file)

    assert of(loaded, "port") == Effective("port", 3, "flag", "--port")
    assert of(loaded, "host") == Effective("host", "e", "environment", "HOST")
    assert of(loaded, "mode") == Effective("mode", "f", "file", file)
    assert of(loaded, "debug") == Effective("debug", False, "default")


def test_a_default_value_in_the_file_comes_from_the_file(load_document: Load) -> None:
    assert of(load_document({"ssl": {"passphrase": None}}), "ssl.passphrase").source == "file"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"cluster_health": {"node_timeout_ms": 60000}}, "adapter.cluster_health.node_timeout_ms"),
        ({"database": {"dynamodb": {"endpoint": "http://x"}}}, "database.dynamodb.endpoint_url"),
    ],
)
def test_a_value_under_another_name_comes_from_the_file(
    document: dict[str, Any], path: str, load_document: Load
) -> None:
    assert of(load_document(document), path).source == "file"


def test_each_app_has_its_lines(load_document: Load) -> None:
    other = {"id": "b", "key": "l", "secret": "t", "allowed_origins": ["*"]}
    loaded = load_document({"app_manager": {"array": {"apps": [APP | {"max_connections": "5"}]}, "apps": [other]}})

    first = "app_manager.array.apps[0]"
    assert of(loaded, f"{first}.max_connections") == Effective(
        f"{first}.max_connections", 5, "file", str(loaded.config_file)
    )
    assert of(loaded, f"{first}.enabled").source == "default"
    assert of(loaded, f"{first}.secret").value == "***"
    assert of(loaded, "app_manager.apps[0].allowed_origins").value == ["*"]


def test_an_app_of_the_environment_comes_from_its_variables(load_document: Load) -> None:
    environ = {f"SOCKUDO_DEFAULT_APP_{name}": name for name in ("ID", "KEY", "SECRET")}
    loaded = load_document({"app_manager": {"array": {"apps": [APP]}}}, environ)

    added = "app_manager.array.apps[1]"
    assert of(loaded, f"{added}.id") == Effective(f"{added}.id", "ID", "environment", "SOCKUDO_DEFAULT_APP_ID")
    assert of(loaded, f"{added}.max_connections") == Effective(f"{added}.max_connections", 100, "default")
    assert of(loaded, "app_manager.array.apps[0].id").source == "file"


def test_what_is_not_set_is_not_hidden(load_document: Load) -> None:
    loaded = load_document()

    assert of(loaded, "database.redis.password").value is None
    assert of(loaded, "database.mysql.password").value == ""
    assert of(loaded, "adapter.cluster.nodes").value == []


def test_addresses_are_shown_without_their_logins(load_document: Load) -> None:
    hook = {"url": "https://ann:x@h/token", "headers": {"X-Key": "x"}, "event_types": ["cache_miss"]}
    loaded = load_document(
        {
            "adapter": {
                "redis": {"redis_pub_options": {"url": "redis://ann:x@h:1/2"}},
                "cluster": {"nodes": ["a:1", "rediss://ann:x@b:2"]},
                "nats": {"servers": ["nats://x@h"]},
            },
            "database": {"redis": {"cluster_nodes": [{"host": "redis://:x@h"}]}},
            "app_manager": {"apps": [APP | {"webhooks": [hook]}]},
        }
    )

    assert of(loaded, "adapter.redis.redis_pub_options.url").value == "redis://ann:***@h:1/2"
    assert of(loaded, "adapter.cluster.nodes").value == ["a:1", "rediss://ann:***@b:2"]
    assert of(loaded, "adapter.nats.servers").value == ["nats://***@h"]
    assert of(loaded, "database.redis.cluster_nodes[0].host").value == "redis://:***@h"
    assert of(loaded, "app_manager.apps[0].webhooks[0].url").value == "https://ann:***@h/***"
    assert of(loaded, "app_manager.apps[0].webhooks[0].headers").value == {"X-Key": "***"}


def test_a_login_in_any_other_setting_is_hidden_too() -> None:
    assert shown("amqp://ann:secret@h", FieldInfo(annotation=str)) == "amqp://ann:***@h"


def hidden_value(field: FieldInfo, secret: str) -> Any:
    """A value for a field that must not be shown: the secret, wherever the field's kind may have one."""
    marks = [mark for mark in field.metadata if isinstance(mark, Check)]
    inner = [mark for part in getattr(field.annotation, "__args__", ()) for mark in getattr(part, "__metadata__", ())]
    encoded = quote(secret, safe="")
    for mark in [*marks, *inner]:
        if isinstance(mark, RedisAddress):
            return f"redis://ann:{secret}@h?x={encoded}"
        if isinstance(mark, RedisNode):
            return [f"redis://:{secret}@h", f"{secret}@h:1"]
        if isinstance(mark, RedisHost):
            return f"redis://:{secret}@h"
        if isinstance(mark, NatsAddress):
            return [f"nats://{secret}@h", f"tls://u:{secret}@h"]
        if isinstance(mark, RabbitUrl):
            return f"amqp://ann:{secret}@h, amqps://{secret}@h/v"
        if isinstance(mark, WebUrl):
            path = encoded if mark.secret_path else ""
            return f"https://u:{encoded}@h/{path}?{encoded}"
    return {"X-A": secret} if getattr(field.annotation, "__origin__", None) is dict else secret


def filled(model: type[Section], secret: str) -> dict[str, Any]:
    """A document with the secret in every field that says that it may hold one."""
    document: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        inner, item = section_of(field), item_section_of(field)
        if inner is not None:
            document[key_of(name, field)] = filled(inner, secret)
        elif item is not None and name != "apps":
            entry = filled(item, secret)
            listed = getattr(field.annotation, "__origin__", None) is tuple
            document[key_of(name, field)] = [entry] if listed else None if name == "lambda_" else entry
        elif not field.repr and not is_environment_only(field):
            document[key_of(name, field)] = hidden_value(field, secret)
    return document


def document_of_secrets(secret: str) -> dict[str, Any]:
    document = filled(Settings, secret)
    hook: dict[str, Any] = {"url": f"https://h/{quote(secret, safe='')}", "headers": {"X-A": secret}}
    app: dict[str, Any] = {
        "id": "a",
        "key": "k",
        "secret": secret,
        "webhooks": [hook | {"event_types": ["cache_miss"]}],
    }
    function = {"function_name": "f", "endpoint_url": f"http://u:{quote(secret, safe='')}@h"}
    app["webhooks"].append({"lambda": function, "event_types": ["cache_miss"]})
    document["app_manager"] = {"array": {"apps": [app]}}
    # A token of a header may have few characters only.
    document["metrics"]["token"] = f"~{secret.encode().hex()}~"
    return document


# Between marks, so that it is found wherever it shows up, and of what an address may have unencoded.
SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/?#@[]%\\"), min_size=1, max_size=30
).map(lambda text: f"~{text}~")


@given(SECRETS)
@settings(deadline=None, max_examples=40)
def test_no_secret_is_ever_shown(secret: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_text(json.dumps(document_of_secrets(secret)), encoding="utf-8")
        environ = {"SOCKUDO_DEFAULT_APP_ID": "e", "SOCKUDO_DEFAULT_APP_KEY": "e", "SOCKUDO_DEFAULT_APP_SECRET": secret}
        loaded = load(path, environ, {}, Path(folder))

    assert loaded.settings.apps[1].secret == secret
    for text in (as_table(loaded), as_json(loaded, loaded.warnings), repr(loaded)):
        assert secret not in text
        assert secret.encode().hex() not in text
        assert json.dumps(secret)[1:-1] not in text
        assert quote(secret, safe="") not in text


def test_the_search_for_secrets_reaches_every_field_with_one() -> None:
    document = json.dumps(filled(Settings, "~here~"))

    assert document.count("~here~") > 20
