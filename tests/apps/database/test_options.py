"""What databases are told keeps its secrets, and says where it is."""

from __future__ import annotations

from sockudo.apps.database.options import DynamoDbOptions, ScyllaDbOptions, SqlOptions


def test_no_secret_is_shown() -> None:
    shown = repr(SqlOptions("mysql", "database.mysql", "sockudo", password="hidden"))
    shown += repr(
        DynamoDbOptions("us-east-1", "apps", "http://u:hidden@h", secret_access_key="hidden", session_token="hidden")
    )
    shown += repr(ScyllaDbOptions((("host", 9042),), "sockudo", "apps", "user", password="hidden"))
    assert "hidden" not in shown


def test_a_database_says_where_it_is() -> None:
    assert SqlOptions("mysql", "database.mysql", "sockudo", host="db", port=3306).place == "mysql at db:3306"
    assert SqlOptions("sqlite", "database.sqlite", "/data/apps.db").place == "sqlite file /data/apps.db"
    assert DynamoDbOptions("eu-west-1", "apps").place == "dynamodb in eu-west-1"
    assert DynamoDbOptions("eu-west-1", "apps", "http://db:8000").place == "dynamodb at db:8000"
    assert DynamoDbOptions("eu-west-1", "apps", "http://u:hidden@db:8000/?x=hidden").place == "dynamodb at db:8000"
    assert ScyllaDbOptions((("a", 1), ("b", 2)), "sockudo", "apps").place == "scylladb at a:1, b:2"
