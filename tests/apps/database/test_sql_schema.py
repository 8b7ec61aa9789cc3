"""The table of apps is the one that the original makes, and one column more."""

from __future__ import annotations

import re

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateTable

from sockudo.apps.database.sql_schema import add_column, app_table

MYSQL = """
CREATE TABLE applications (
id VARCHAR(255) NOT NULL,
`key` VARCHAR(255) NOT NULL,
secret VARCHAR(255) NOT NULL,
max_connections INTEGER UNSIGNED NOT NULL,
enable_client_messages BOOL NOT NULL DEFAULT FALSE,
enabled BOOL NOT NULL DEFAULT TRUE,
max_backend_events_per_second INTEGER UNSIGNED,
max_client_events_per_second INTEGER UNSIGNED NOT NULL,
max_read_requests_per_second INTEGER UNSIGNED,
max_presence_members_per_channel INTEGER UNSIGNED,
max_presence_member_size_in_kb INTEGER UNSIGNED,
max_channel_name_length INTEGER UNSIGNED,
max_event_channels_at_once INTEGER UNSIGNED,
max_event_name_length INTEGER UNSIGNED,
max_event_payload_in_kb INTEGER UNSIGNED,
max_event_batch_size INTEGER UNSIGNED,
enable_user_authentication BOOL,
enable_watchlist_events BOOL,
webhooks JSON,
allowed_origins JSON,
enable_subscription_count BOOL,
created_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP,
updated_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
PRIMARY KEY (id),
UNIQUE (`key`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci
"""

POSTGRES = """
CREATE TABLE applications (
id VARCHAR(255) NOT NULL,
key VARCHAR(255) NOT NULL,
secret VARCHAR(255) NOT NULL,
max_connections INTEGER NOT NULL,
enable_client_messages BOOLEAN DEFAULT FALSE NOT NULL,
enabled BOOLEAN DEFAULT TRUE NOT NULL,
max_backend_events_per_second INTEGER,
max_client_events_per_second INTEGER NOT NULL,
max_read_requests_per_second INTEGER,
max_presence_members_per_channel INTEGER,
max_presence_member_size_in_kb INTEGER,
max_channel_name_length INTEGER,
max_event_channels_at_once INTEGER,
max_event_name_length INTEGER,
max_event_payload_in_kb INTEGER,
max_event_batch_size INTEGER,
enable_user_authentication BOOLEAN,
enable_watchlist_events BOOLEAN,
webhooks JSONB,
allowed_origins JSONB,
enable_subscription_count BOOLEAN,
created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT CURRENT_TIMESTAMP,
updated_at TIMESTAMP WITHOUT TIME ZONE DEFAULT CURRENT_TIMESTAMP,
PRIMARY KEY (id),
UNIQUE (key)
)
"""


def dialect(name: str) -> Dialect:
    made: Dialect = {"mysql": mysql, "pgsql": postgresql, "sqlite": sqlite}[name].dialect()
    return made


@pytest.mark.parametrize(("name", "statement"), [("mysql", MYSQL), ("pgsql", POSTGRES)])
def test_the_table_has_the_columns_of_the_original(name: str, statement: str) -> None:
    made = str(CreateTable(app_table("applications", name)).compile(dialect=dialect(name)))
    assert re.sub(r"[ \t]*\n\s*", "\n", made).strip() == statement.strip()


@pytest.mark.parametrize(
    ("name", "column", "statement"),
    [
        ("mysql", "webhooks", "ALTER TABLE applications ADD COLUMN webhooks JSON"),
        ("pgsql", "allowed_origins", "ALTER TABLE applications ADD COLUMN allowed_origins JSONB"),
        ("sqlite", "webhooks", "ALTER TABLE applications ADD COLUMN webhooks TEXT"),
        ("mysql", "enable_watchlist_events", "ALTER TABLE applications ADD COLUMN enable_watchlist_events BOOL"),
        ("pgsql", "max_connections", "ALTER TABLE applications ADD COLUMN max_connections INTEGER"),
    ],
)
def test_an_added_column_is_null_in_existing_rows(name: str, column: str, statement: str) -> None:
    assert add_column(app_table("applications", name), column, dialect(name)) == statement


def test_names_are_quoted_where_they_must_be() -> None:
    statement = add_column(app_table("my-apps", "pgsql"), "webhooks", dialect("pgsql"))
    assert statement == 'ALTER TABLE "my-apps" ADD COLUMN webhooks JSONB'
