"""The configuration of soketi as a whole: its file, its variables, and that nothing of either is lost silently."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.config.checks.unknown import setting_paths
from sockudo.config.load import problems_of
from sockudo.config.model import Settings
from sockudo.migration.draft import Draft
from sockudo.migration.soketi.document import from_document, from_variables
from sockudo.migration.soketi.names import DEFAULTS, DRIVER_DEFAULTS, EQUAL, NO_EQUAL, SPECIAL
from sockudo.migration.soketi.variables import DOCUMENTED_ONLY, PREFIX, VARIABLES

APP = {"id": "1", "key": "k", "secret": "s"}
APPS = {"appManager.array.apps": [APP]}

# A value for each setting that is not text.
VALUES: dict[str, Any] = {
    "cors.origin": ["https://a.io"],
    "cors.methods": ["GET"],
    "cors.allowedHeaders": ["X-A"],
    "adapter.nats.servers": ["a:1"],
    "database.redis.sentinels": [{"host": "a", "port": 1}],
    "database.redis.clusterNodes": [{"host": "a", "port": 1}],
    "metrics.driver": "prometheus",
    "queue.sqs.endpoint": "http://q",
    "appManager.dynamodb.endpoint": "http://d",
}


def value_of(key: str) -> Any:
    if key in VALUES:
        return VALUES[key]
    convert = EQUAL[key].convert.__name__
    return {"text": "/x", "flag": True, "share": 50}.get(convert, 3000)


def at(draft: Draft, path: str) -> Any:
    value: Any = draft.document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def remarks(draft: Draft) -> list[str]:
    return [str(remark) for remark in draft.remarks]


def test_the_tables_name_settings_that_exist_here() -> None:
    paths = set(setting_paths(Settings))

    assert {equal.path for equal in EQUAL.values()} <= paths
    assert len({*EQUAL, *NO_EQUAL, *SPECIAL}) == len(EQUAL) + len(NO_EQUAL) + len(SPECIAL)
    assert {*DEFAULTS, *(key for keys in DRIVER_DEFAULTS.values() for key in keys)} <= set(EQUAL)


def test_every_variable_sets_a_setting_that_is_known() -> None:
    known = {*EQUAL, *NO_EQUAL, *SPECIAL}

    assert {path for path in VARIABLES.values() if not path.startswith("appManager.array.apps.0.")} <= known
    assert set(DOCUMENTED_ONLY.values()) <= known
    assert len(VARIABLES) == 115


@pytest.mark.parametrize("key", EQUAL)
def test_a_setting_with_an_equal_is_taken_over(key: str) -> None:
    draft = from_document({key: value_of(key), **APPS})

    assert at(draft, EQUAL[key].path) == EQUAL[key].convert(value_of(key))
    assert remarks(draft) in ([], [f"{key}: is about the memory of the machine here, not V8's heap"])


@pytest.mark.parametrize(
    ("variable", "key"), [(name, path) for name, path in VARIABLES.items() if path in EQUAL], ids=str
)
def test_a_variable_is_taken_over_like_the_file(variable: str, key: str) -> None:
    value = value_of(key)
    written = value if isinstance(value, str) else json.dumps(value)
    app = {f"SOKETI_DEFAULT_APP_{name.upper()}": text for name, text in APP.items()}

    from_env = from_variables({f"{PREFIX}{variable}": written, **app})

    assert from_env.document == from_document({key: value, **APPS}).document


@pytest.mark.parametrize("key", NO_EQUAL)
def test_a_setting_without_an_equal_is_named_with_the_reason(key: str) -> None:
    assert remarks(from_document({key: 7, **APPS})) == [f"{key}: has no equal: {NO_EQUAL[key]}"]


@pytest.mark.parametrize("value", [None, "", [], {}])
@pytest.mark.parametrize("key", [*EQUAL, *NO_EQUAL, *sorted(SPECIAL - {"appManager.array.apps"})])
def test_an_empty_setting_was_not_set(key: str, value: object) -> None:
    if (key, value) == ("cors.origin", []):
        pytest.skip("no origin at all is a restriction")
    draft, plain = from_document({**APPS, key: value}), from_document(APPS)

    assert (draft.document, draft.remarks) == (plain.document, plain.remarks)


def test_keys_may_be_nested_or_dotted() -> None:
    nested_one = from_document({"database": {"redis": {"host": "r", "port": 7}}, **APPS})
    dotted = from_document({"database.redis.host": "r", "database.redis.port": 7, **APPS})

    assert nested_one.document == dotted.document
    assert at(dotted, "database.redis") == {"host": "r", "port": 7}


@pytest.mark.parametrize(
    ("key", "name", "path", "ours"),
    [
        ("adapter.driver", "local", "adapter.driver", "local"),
        ("adapter.driver", "redis", "adapter.driver", "redis"),
        ("adapter.driver", "nats", "adapter.driver", "nats"),
        ("appManager.driver", "array", "app_manager.driver", "memory"),
        ("appManager.driver", "mysql", "app_manager.driver", "mysql"),
        ("appManager.driver", "postgres", "app_manager.driver", "pgsql"),
        ("appManager.driver", "dynamodb", "app_manager.driver", "dynamodb"),
        ("cache.driver", "memory", "cache.driver", "memory"),
        ("cache.driver", "redis", "cache.driver", "redis"),
        ("queue.driver", "sync", "queue.driver", "memory"),
        ("queue.driver", "redis", "queue.driver", "redis"),
        ("queue.driver", "sqs", "queue.driver", "sqs"),
    ],
)
def test_a_driver_is_called_by_its_name_here(key: str, name: str, path: str, ours: str) -> None:
    draft = from_document({key: name, **({} if key == "appManager.driver" else APPS)})

    assert at(draft, path) == ours


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("adapter.driver", "cluster", "machines meet at a broker"),
        ("adapter.driver", "rabbitmq", "is no driver of soketi 1.6"),
        ("rateLimiter.driver", "redis", "the nodes count together"),
        ("mode", "worker", "every node serves"),
        ("appManager.cache.ttl", -1, "not cached for ever"),
        ("port", "x", "is no number"),
        ("port", -1, "is negative"),
        ("cors.origins", ["*"], "is no setting of soketi 1.6"),
    ],
)
def test_what_cannot_be_taken_over_is_remarked(key: str, value: object, words: str) -> None:
    (remark,) = remarks(from_document({key: value, **APPS}))

    assert remark.startswith(f"{key}: ")
    assert words in remark


@pytest.mark.parametrize("driver", ["mysql", "postgres", "dynamodb"])
def test_a_database_has_soketis_defaults_and_a_remark_on_columns(driver: str) -> None:
    draft = from_document({"appManager.driver": driver})

    for key, value in DRIVER_DEFAULTS[driver].items():
        assert at(draft, EQUAL[key].path) == value
    assert [remark.key for remark in draft.remarks] == ["appManager.driver"]
    assert at(draft, "app_manager.array") is None


def test_without_apps_the_secret_that_everybody_knows_is_not_written() -> None:
    draft = from_document({})

    assert at(draft, "app_manager.array.apps") == []
    assert [remark.key for remark in draft.remarks] == ["appManager.array.apps"]


@pytest.mark.parametrize("driver", ["redis", 5, [], {"a": 1}])
def test_apps_of_an_unknown_driver_are_those_of_the_file(driver: object) -> None:
    assert at(from_document({"appManager.driver": driver, **APPS}), "app_manager.array.apps") == [APP]


@pytest.mark.parametrize("entry", [None, 5, "x", [], {"secret": ""}, {"secret": {"a": 1}}, {"key": {}, "secret": "s"}])
def test_an_entry_that_is_no_app_is_left_out_alone(entry: object) -> None:
    draft = from_document({"appManager.array.apps": [entry, APP]})

    assert at(draft, "app_manager.array.apps") == [APP]
    assert any(remark.key.startswith("appManager.array.apps.0") for remark in draft.remarks)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(["https://a.io", None, ""], ["https://a.io"]), ([None], []), ([], []), ({"a": 1}, []), ("[x", [])],
)
def test_web_origins_are_read_one_by_one(value: object, kept: list[str]) -> None:
    draft = from_document({"cors.origin": value, **APPS})

    assert at(draft, "cors.origin") == kept
    assert problems_of(draft.document) == []
    assert [remark.key.startswith("cors.origin") for remark in draft.remarks] == [True] * len(draft.remarks)


def test_the_defaults_of_soketi_are_kept_where_they_differ() -> None:
    draft = from_document(APPS)

    assert at(draft, "shutdown_grace_period") == 3
    assert at(draft, "user_authentication_timeout") == 30
    assert at(draft, "http_api.request_limit_in_mb") == 100
    assert at(draft, "webhooks.batching.enabled") is False
    assert problems_of(draft.document) == []


def test_remarks_about_variables_name_them() -> None:
    draft = from_variables(
        {
            "SOKETI_DEFAULT_APP_ID": "1",
            "SOKETI_DEFAULT_APP_KEY": "k",
            "SOKETI_DEFAULT_APP_SECRET": "s",
            "SOKETI_DEFAULT_APP_MAX_CONNS": "many",
            "SOKETI_PORT": "x",
            "SOKETI_CLUSTER_PORT": "11002",
            "SOKETI_ADAPTER_REDIS_PUB_OPTIONS": '{"family": 4}',
            "SOKETI_HTTP_MAX_REQUEST_SIZE": "1",
            "SOKETI_NOTHING": "1",
            "SOKETI_HOST": "",
            "APP_NAME": "x",
        }
    )

    assert [remark.key for remark in draft.remarks] == [
        "SOKETI_PORT",
        "SOKETI_CLUSTER_PORT",
        "SOKETI_ADAPTER_REDIS_PUB_OPTIONS.family",
        "SOKETI_DEFAULT_APP_MAX_CONNS",
        "SOKETI_HTTP_MAX_REQUEST_SIZE",
        "SOKETI_NOTHING",
    ]


def test_a_secret_of_digits_stays_as_it_is_written() -> None:
    draft = from_variables({"SOKETI_DEFAULT_APP_SECRET": "1e5", "SOKETI_DEFAULT_APP_ID": "007"})

    (app,) = at(draft, "app_manager.array.apps")
    assert (app["id"], app["secret"]) == ("007", "1e5")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([*EQUAL, *NO_EQUAL, *SPECIAL, "appManager.array.apps.0.webhooks", "database.redis.family"])


@given(st.dictionaries(KEYS | st.text(max_size=8), ANYTHING))
def test_any_document_is_converted_or_remarked_upon(document: dict[str, Any]) -> None:
    json.dumps(from_document(document).document)


@given(st.dictionaries(st.sampled_from([f"{PREFIX}{name}" for name in VARIABLES]), st.text()))
def test_any_variables_are_converted_or_remarked_upon(variables: dict[str, str]) -> None:
    json.dumps(from_variables(variables).document)
