"""What databases are told keeps its secrets, and says where it is."""

from __future__ import annotations

from sockudo.apps.database.options import DynamoDbOptions, ScyllaDbOptions, SqliteOptions, SqlOptions
from sockudo.config.sections.dynamodb import DynamoDbSettings
from sockudo.config.sections.scylladb import ScyllaDbSettings
from sockudo.config.sections.sql_databases import MysqlSettings, PostgresSettings, SqliteSettings


def test_no_secret_is_shown() -> None:
    shown = repr(SqlOptions("mysql", MysqlSettings(password="hidden")))
    secrets = {"aws_secret_access_key": "hidden", "aws_session_token": "hidden"}
    shown += repr(DynamoDbOptions(DynamoDbSettings(endpoint_url="http://u:hidden@h", **secrets)))
    shown += repr(ScyllaDbOptions(ScyllaDbSettings(username="user", password="hidden")))
    assert "hidden" not in shown


def test_a_database_says_where_it_is() -> None:
    def dynamodb(url: str | None) -> str:
        return DynamoDbOptions(DynamoDbSettings(region="eu-west-1", endpoint_url=url)).place

    assert SqlOptions("mysql", MysqlSettings(host="db", port=3306)).place == "mysql at db:3306"
    assert SqliteOptions(SqliteSettings(path="/data/apps.db")).place == "sqlite file /data/apps.db"
    assert dynamodb(None) == "dynamodb in eu-west-1"
    assert dynamodb("http://db:8000") == "dynamodb at db:8000"
    assert dynamodb("http://u:hidden@db:8000/?x=hidden") == "dynamodb at db:8000"
    assert ScyllaDbOptions(ScyllaDbSettings(nodes=("a:1", "b:2"))).place == "scylladb at a:1, b:2"


def test_a_database_names_its_section() -> None:
    assert SqliteOptions(SqliteSettings()).setting == "database.sqlite"
    assert SqlOptions("mysql", MysqlSettings()).setting == "database.mysql"
    assert SqlOptions("pgsql", PostgresSettings()).setting == "database.postgres"
