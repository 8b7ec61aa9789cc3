"""What this version does not have is refused where it is asked for, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.config.checks.unsupported import UNSUPPORTED, Unsupported

from .conftest import Load, Problems, document_with

EACH = [(one, value) for one in UNSUPPORTED for value in one.values]


def asking_for(one: Unsupported, value: object) -> dict[str, Any]:
    """The least that asks for it, and is otherwise in order."""
    *sections, name = one.path.split(".")
    section: dict[str, Any] = {name: value, "enabled": True}
    if one.path == "ssl.enabled":
        section |= {"cert_path": "/c.pem", "key_path": "/k.pem"}
    return document_with(".".join(sections), section)


@pytest.mark.parametrize(("one", "value"), EACH, ids=str)
def test_asking_for_it_is_a_problem_with_the_name_of_the_setting(
    one: Unsupported, value: object, problems_of: Problems
) -> None:
    shown = "true" if value is True else f'"{one.values[0]}"'

    assert problems_of(asking_for(one, value)) == [f"{one.path}: {shown} is not supported by this version yet"]


@pytest.mark.parametrize(
    ("variable", "value", "path"),
    [
        ("UNIX_SOCKET_ENABLED", "yes", "unix_socket.enabled"),
    ],
)
def test_asking_for_it_in_the_environment_names_the_variable(
    variable: str, value: str, path: str, problems_of: Problems
) -> None:
    (problem,) = problems_of(environ={variable: value})

    assert problem.startswith(f"{variable} ({path}): ")
    assert problem.endswith(" is not supported by this version yet")


def test_it_is_reported_beside_every_other_problem(problems_of: Problems) -> None:
    assert problems_of({"port": "x", "unix_socket": {"enabled": True, "path": 5}}) == [
        'port: expected an integer between 0 and 65535, got "x"',
        "unix_socket.path: expected a string, got a number",
        "unix_socket.enabled: true is not supported by this version yet",
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"rate_limiter": {"enabled": False, "driver": "redis", "redis": {"prefix": "x:"}}},
        {"rate_limiter": {"driver": "redis-cluster"}},
        {"cache": {"driver": "memory", "redis": {"url_override": "redis://a", "cluster_mode": True}}},
        {"queue": {"driver": "none", "redis": {"concurrency": 9}, "sqs": {"fifo": True}}},
        {"app_manager": {"driver": "memory"}, "database": {"mysql": {"password": ""}, "postgres": {"host": "p"}}},
        {"ssl": {"enabled": False, "cert_path": "", "passphrase": None, "http_port": None}},
        {"unix_socket": {"enabled": False, "path": "relative"}},
    ],
)
def test_what_is_only_described_is_no_problem(document: dict[str, Any], load_document: Load) -> None:
    assert [warning for warning in load_document(document).warnings if "no app is" not in warning] == []


@pytest.mark.parametrize("wrong", [1, "true", None, {}, []])
def test_a_switch_of_another_kind_is_wrong_and_not_unsupported(wrong: object, problems_of: Problems) -> None:
    (problem,) = problems_of({"ssl": {"enabled": wrong}})

    assert problem.startswith("ssl.enabled: expected true or false")
