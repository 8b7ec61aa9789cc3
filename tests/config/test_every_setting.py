"""Every setting, by its kind: it is read from files and variables, and a wrong value is a problem with its name.

The names, defaults and variables are those of `docs/configuration.md`, which is made of the declarations, and of no
table here. A new kind of values needs an entry of `SAMPLES`. A new setting needs none, unless another setting decides
what it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args

import pytest
from pydantic.fields import FieldInfo

from sockudo.config.checks.unknown import is_environment_only, setting_paths
from sockudo.config.kinds.addresses import CqlNode, KafkaBroker, NatsAddress, RedisAddress, RedisHost, RedisNode
from sockudo.config.kinds.database_names import DatabaseName
from sockudo.config.kinds.hosts import Host
from sockudo.config.kinds.metrics_values import BearerToken, NamePrefix
from sockudo.config.kinds.networks import Network
from sockudo.config.kinds.rabbit_urls import RabbitUrl
from sockudo.config.kinds.section import env_of
from sockudo.config.kinds.values import Check, NotEmpty, NullAsEmpty, OneOf, Share, Text, Truth, Whole, WorkerCount
from sockudo.config.kinds.web_values import PathPrefix, Token, WebOrigin, WebUrl
from sockudo.config.model import Settings
from sockudo.config.sections.logs import LogFilter
from sockudo.config.sections.queue import GroupPrefix
from sockudo.config.sections.unix_socket import FileMode, FileOwner

from .conftest import Load, Problems, choosing, document_with


class Sample(NamedTuple):
    """A value other than the default, as text and as read, and values that are refused."""

    text: str
    value: Any
    wrong: tuple[Any, ...]


class Row(NamedTuple):
    """One setting."""

    path: str
    default: Any
    variables: tuple[str, ...]
    is_in_files: bool
    sample: Sample


def _truth(kind: Truth, default: object) -> Sample:
    return Sample("off", False, ("maybe",)) if default else Sample("yes", True, ("maybe",))


def _whole(kind: Whole, default: object) -> Sample:
    value = kind.low + (kind.low == default)
    return Sample(str(value), value, (kind.low - 1, kind.high + 1, 1.5))


def _worker_count(kind: WorkerCount, default: object) -> Sample:
    return Sample("4", 4, (0, kind.high + 1)) if default == "auto" else Sample("AUTO", "auto", (0, kind.high + 1))


def _one_of(kind: OneOf, default: object) -> Sample:
    name = next((name for name in kind.names if name != default), kind.names[0])
    return Sample(name.upper(), name, ("carrier-pigeon",))


def _fixed(text: str, *wrong: object, value: object = None) -> Callable[[Any, object], Sample]:
    return lambda kind, default: Sample(text, text if value is None else value, wrong)


SAMPLES: Final[Mapping[type[Check], Callable[[Any, object], Sample]]] = {
    Truth: _truth,
    Whole: _whole,
    WorkerCount: _worker_count,
    OneOf: _one_of,
    Share: _fixed("0.5", 1.1, -0.1, value=0.5),
    Text: _fixed("x", 1),
    Host: _fixed("h", 5),
    PathPrefix: _fixed("/ws", "a b"),
    DatabaseName: _fixed("xyz", "a;b"),
    FileMode: _fixed("600", "888"),
    FileOwner: _fixed("www-data:1000", "a b"),
    Network: _fixed("::1", "a b"),
    NamePrefix: _fixed("p_", "a-b"),
    BearerToken: _fixed("x", "a b"),
    LogFilter: _fixed("debug", "a b"),
    GroupPrefix: _fixed("x", "a b"),
    WebUrl: _fixed("http://q:1", "q:1"),
    WebOrigin: _fixed("https://a.io", "a.io"),
    Token: _fixed("PUT", "G T"),
    RedisAddress: _fixed("redis://a", "http://a"),
    RedisNode: _fixed("a:1", "http://a"),
    RedisHost: _fixed("r", 1),
    NatsAddress: _fixed("nats://a", "http://a"),
    RabbitUrl: _fixed("amqp://a,amqps://b", 1),
    KafkaBroker: _fixed("a:1", "a@b:1"),
    CqlNode: _fixed("a:1", "a@b:1"),
}

_NETWORKS: Final = Sample("::1, 10.0.0.0/8", ("::1/128", "10.0.0.0/8"), (["a b"],))

# Where another setting decides what this one may be.
DEPENDENT: Final[Mapping[str, Sample]] = {
    "proxy_protocol.networks": _NETWORKS,
    "rate_limiter.trusted_networks": _NETWORKS,
    "server_role": Sample("Default", "default", ("edge",)),
    "adapter.cluster_health.node_timeout_ms": Sample("40000", 40_000, (0,)),
    "cleanup.queue_buffer_size": Sample("90", 90, (0,)),
    "ssl.enabled": Sample("no", False, ("maybe",)),
    "unix_socket.enabled": Sample("no", False, ("maybe",)),
}

# Sections, lists of them, and a login that is none without its other half have tests of their own; the process id has
# no fixed default.
ELSEWHERE: Final = frozenset(
    {
        "adapter.redis.redis_pub_options.sentinel",
        "adapter.redis.redis_sub_options.sentinel",
        "app_manager.apps",
        "app_manager.array.apps",
        "database.redis.cluster.username",
        "database.redis.cluster_nodes",
        "database.redis.sentinels",
        "instance.process_id",
    }
)


def at(settings: object, path: str) -> Any:
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings


def sample_of(path: str, field: FieldInfo, default: object) -> Sample:
    """Return the sample of a setting by its kind; that of a list has one of each of its entries."""
    if path in DEPENDENT:
        return DEPENDENT[path]
    kinds = [kind for kind in field.metadata if isinstance(kind, Check) and type(kind) not in (NullAsEmpty, NotEmpty)]
    if kinds:
        return SAMPLES[type(kinds[0])](kinds[0], default)
    kind = next(mark for mark in get_args(get_args(field.annotation)[0]) if isinstance(mark, Check))
    one = SAMPLES[type(kind)](kind, default)
    return Sample(f"{one.text}, {one.text}2", (one.value, f"{one.value}2"), tuple([wrong] for wrong in one.wrong))


def rows() -> Iterator[Row]:
    defaults = Settings()
    for path in setting_paths(Settings):
        if path in ELSEWHERE:
            continue
        *_, last = path.split(".")
        section = at(defaults, path.rpartition(".")[0]) if "." in path else defaults
        field, default = type(section).model_fields[last], getattr(section, last)
        mark = env_of(field)
        yield Row(
            path,
            default,
            mark.all_names if mark else (),
            not is_environment_only(field),
            sample_of(path, field, default),
        )


ROWS: Final = list(rows())
IN_FILES: Final = [row for row in ROWS if row.is_in_files]
BY_VARIABLE: Final = [(row, variable) for row in ROWS for variable in row.variables]


def written(value: object) -> object:
    """Return a value as a file has it."""
    return list(value) if isinstance(value, tuple) else value


def test_what_is_tested_elsewhere_exists() -> None:
    assert set(setting_paths(Settings)) >= ELSEWHERE | DEPENDENT.keys()


def test_what_nobody_sets_has_its_default(load_document: Load) -> None:
    settings = load_document().settings

    assert [(row.path, at(settings, row.path)) for row in ROWS] == [(row.path, row.default) for row in ROWS]


@pytest.mark.parametrize("row", IN_FILES, ids=lambda row: row.path)
def test_a_setting_is_read_from_a_file(row: Row, load_document: Load) -> None:
    document = document_with(row.path, written(row.sample.value))

    assert at(load_document(document).settings, row.path) == row.sample.value


@pytest.mark.parametrize("row", [row for row in IN_FILES if type(row.sample.value) is int], ids=lambda row: row.path)
def test_a_number_may_be_a_string_in_a_file(row: Row, load_document: Load) -> None:
    assert at(load_document(document_with(row.path, row.sample.text)).settings, row.path) == row.sample.value


@pytest.mark.parametrize(("row", "variable"), BY_VARIABLE, ids=lambda part: part if isinstance(part, str) else "")
def test_a_variable_sets_its_setting(row: Row, variable: str, load_document: Load) -> None:
    loaded = load_document(environ={variable: f" {row.sample.text} "})

    assert at(loaded.settings, row.path) == row.sample.value


@pytest.mark.parametrize(("row", "variable"), BY_VARIABLE, ids=lambda part: part if isinstance(part, str) else "")
def test_an_empty_variable_counts_as_unset(row: Row, variable: str, load_document: Load) -> None:
    assert at(load_document(environ={variable: "  "}).settings, row.path) == row.default


@pytest.mark.parametrize("row", IN_FILES, ids=lambda row: row.path)
def test_a_wrong_value_in_a_file_names_its_path(row: Row, problems_of: Problems) -> None:
    for wrong in row.sample.wrong:
        problems = problems_of(document_with(row.path, wrong))

        assert len(problems) == 1
        assert problems[0].startswith((f"{row.path}: expected ", f"{row.path}[0]: expected "))


def takes_any_text(row: Row) -> bool:
    """Tell whether only what is no text is wrong, which a variable cannot say."""
    return isinstance(row.sample.value, str) and not isinstance(row.sample.wrong[0], (str, list))


@pytest.mark.parametrize(
    ("row", "variable"),
    [(row, variable) for row, variable in BY_VARIABLE if not takes_any_text(row)],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_wrong_value_in_a_variable_names_the_variable(row: Row, variable: str, problems_of: Problems) -> None:
    for wrong in row.sample.wrong:
        text = ",".join(wrong) if isinstance(wrong, list) else str(wrong)
        problems = problems_of(choosing(row.path), {variable: text})

        assert problems
        assert all(problem.startswith(f"{variable} (") for problem in problems)


def test_the_process_id_is_random_unless_it_is_set(load_document: Load) -> None:
    first, second = load_document().settings.instance, load_document().settings.instance

    assert first.process_id != second.process_id
    assert load_document({"instance": {"process_id": "a"}}).settings.instance.process_id == "a"
    assert load_document(environ={"INSTANCE_PROCESS_ID": "b"}).settings.instance.process_id == "b"


@pytest.mark.parametrize(
    ("written", "kept"), [("/", ""), ("", ""), ("ws", "/ws"), ("/ws/", "/ws"), ("/a/b", "/a/b"), ("//", "")]
)
def test_a_path_prefix_gains_a_leading_slash_and_no_trailing(written: str, kept: str, load_document: Load) -> None:
    assert load_document({"path_prefix": written}).settings.path_prefix == kept


@pytest.mark.parametrize("wrong", ["a b", "/a?b", "/a#b", "/a//b", "/ä"])
def test_a_path_prefix_that_is_no_path_is_a_problem(wrong: str, problems_of: Problems) -> None:
    assert problems_of({"path_prefix": wrong})[0].startswith('path_prefix: expected a path such as "/sockudo", got ')


@pytest.mark.parametrize("word", ["Any", "any", "*"])
def test_the_words_for_every_origin_are_the_same(word: str, load_document: Load) -> None:
    cors = load_document({"cors": {"origin": [word]}}).settings.cors

    assert cors.any_origin
    assert not cors.allow_credentials


@pytest.mark.parametrize(
    "origin",
    [
        "a.io",
        "https://a.io/path",
        "https://",
        "https://a b",
        "https://u@a.io",
        "wss://a.io",
        "https://*.a.io",
        "",
        "null",
    ],
)
def test_a_cors_origin_that_browsers_never_send_is_a_problem(origin: str, problems_of: Problems) -> None:
    (problem,) = problems_of({"cors": {"origin": [origin]}})

    assert problem.startswith(
        f'cors.origin[0]: expected "*" or an origin such as "https://example.com", got "{origin}": it '
    )


@pytest.mark.parametrize(
    "origin",
    ["https://a.io", "HTTPS://A.io", "https://a.io:443", " https://a.io ", "https://a.io/", "https://a.io:443/"],
)
def test_a_cors_origin_is_kept_as_browsers_send_it(origin: str, load_document: Load) -> None:
    assert load_document({"cors": {"origin": [origin]}}).settings.cors.origin == ("https://a.io",)


def test_credentials_are_allowed_for_single_origins_only(load_document: Load) -> None:
    assert load_document({"cors": {"origin": ["https://a.io"]}}).settings.cors.allow_credentials
    assert not load_document({"cors": {"origin": []}}).settings.cors.allow_credentials


def test_cors_settings_without_effect_are_warned_about(load_document: Load) -> None:
    warnings = load_document({"cors": {"origin": ["*", "https://a.io"], "credentials": True}}).warnings

    assert any("the others have no effect" in warning for warning in warnings)
    assert any("cors.credentials has no effect" in warning for warning in warnings)


def test_null_trust_hops_trust_no_proxy(load_document: Load) -> None:
    limiter = load_document({"rate_limiter": {"api_rate_limit": {"trust_hops": None}}}).settings.rate_limiter

    assert limiter.api_rate_limit.trust_hops == 0


def test_logging_may_be_null(load_document: Load) -> None:
    assert load_document({"logging": None}).settings.logging.colors_enabled


@pytest.mark.parametrize(
    ("environ", "level"),
    [
        ({}, "info"),
        ({"DEBUG": "true"}, "debug"),
        ({"DEBUG": "true", "SOCKUDO_LOG_DEBUG": "warn"}, "warn"),
        ({"SOCKUDO_LOG_PROD": "error"}, "error"),
        ({"LOG_LEVEL": "warning", "SOCKUDO_LOG_PROD": "error"}, "warn"),
        ({"RUST_LOG": "info,sockudo=debug", "LOG_LEVEL": "error"}, "debug"),
        ({"RUST_LOG": "sockudo=error,debug"}, "error"),
        ({"RUST_LOG": "sockudo"}, "trace"),
        ({"RUST_LOG": "OFF"}, "off"),
        ({"RUST_LOG": "hyper=debug, tokio::net=trace,"}, "info"),
        ({"RUST_LOG": "a[span{x=1,y=2}]=warn"}, "info"),
    ],
)
def test_the_most_specific_filter_decides_the_log_level(
    environ: dict[str, str], level: str, load_document: Load
) -> None:
    assert load_document(environ=environ).settings.log_level == level


@pytest.mark.parametrize(("written", "kept"), [(1, 1), ("8", 8), (1024, 1024), ("auto", "auto"), ("Auto", "auto")])
def test_workers_are_a_number_or_auto(written: object, kept: object, load_document: Load) -> None:
    assert load_document({"workers": written}).settings.workers == kept


@pytest.mark.parametrize("wrong", [0, -1, 1025, True, 1.5, "two", None])
def test_another_number_of_workers_is_a_problem(wrong: object, problems_of: Problems) -> None:
    assert problems_of({"workers": wrong})[0].startswith('workers: expected an integer between 1 and 1024 or "auto"')
