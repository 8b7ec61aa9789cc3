"""What databases are told keeps its secrets, and names of tables are names."""

from __future__ import annotations

import pytest

from sockudo.apps.database_options import (
    DynamoDbOptions,
    ScyllaDbOptions,
    SqlOptions,
    cql_name_problem,
    dynamodb_name_problem,
    sql_name_problem,
)


def test_no_secret_is_shown() -> None:
    shown = repr(SqlOptions("mysql", "database.mysql", "sockudo", password="hidden"))
    shown += repr(DynamoDbOptions("us-east-1", "apps", secret_access_key="hidden", session_token="hidden"))
    shown += repr(ScyllaDbOptions((("host", 9042),), "sockudo", "apps", "user", password="hidden"))
    assert "hidden" not in shown


def test_a_database_says_where_it_is() -> None:
    assert SqlOptions("mysql", "database.mysql", "sockudo", host="db", port=3306).place == "mysql at db:3306"
    assert SqlOptions("sqlite", "database.sqlite", "/data/apps.db").place == "sqlite file /data/apps.db"
    assert DynamoDbOptions("eu-west-1", "apps").place == "dynamodb at eu-west-1"
    assert DynamoDbOptions("eu-west-1", "apps", "http://db:8000").place == "dynamodb at http://db:8000"
    assert ScyllaDbOptions((("a", 1), ("b", 2)), "sockudo", "apps").place == "scylladb at a:1, b:2"


@pytest.mark.parametrize("name", ["applications", "_apps", "Apps-2", "a$b", "a" * 63])
def test_these_are_sql_names(name: str) -> None:
    assert sql_name_problem(name) is None


@pytest.mark.parametrize("name", ["", "1apps", "a b", "a;b", "a`b", 'a"b', "a.b", "äpps", "a" * 64, "apps\n"])
def test_these_are_no_sql_names(name: str) -> None:
    assert sql_name_problem(name) is not None


def test_names_of_the_others_are_checked_as_well() -> None:
    assert cql_name_problem("apps_2") is None
    for name in ("", "_apps", "a-b", "a" * 49, "a;b"):
        assert cql_name_problem(name) is not None, name
    assert dynamodb_name_problem("sockudo-apps_2.x") is None
    for name in ("ab", "a b c", "a" * 256, "a/bc"):
        assert dynamodb_name_problem(name) is not None, name
