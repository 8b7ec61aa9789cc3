"""The page for those who come from another server has the tables that the importer works by."""

from __future__ import annotations

from typing import Final

import pytest
from sqlalchemy import Integer, SmallInteger

from sockudo.apps.database.soketi_table import COLUMNS, statements
from sockudo.migration.reverb import variables as reverb_variables
from sockudo.migration.soketi.apps import FIELDS
from sockudo.migration.soketi.names import EQUAL, NO_EQUAL, SPECIAL
from sockudo.migration.soketi.variables import PREFIX, VARIABLES
from tests.support.pages import section, the_block
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/migrating.md"
_OF_AN_APP: Final = "appManager.array.apps.0."


def rows(head: str) -> list[list[str]]:
    """The cells of every row of a table below a heading, without its first two rows."""
    lines = [line for line in section(PAGE, head).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def variable_of(path: str) -> str:
    return next((f"`{PREFIX}{name}`" for name, one in VARIABLES.items() if one == path), "")


def test_every_setting_of_soketi_with_an_equal_has_a_row() -> None:
    expected = [[f"`{key}`", variable_of(key), f"`{equal.path}`"] for key, equal in EQUAL.items()]

    assert rows("### Settings") == expected


def test_every_setting_of_soketi_without_an_equal_has_its_reason() -> None:
    expected = [[f"`{key}`", variable_of(key), reason] for key, reason in NO_EQUAL.items()]

    assert rows("### Settings without an equal") == expected


def test_every_setting_of_an_app_of_soketi_has_a_row() -> None:
    expected = [
        [f"`{names[0]}`", variable_of(_OF_AN_APP + names[0]), f"`{ours}`"] for ours, (names, _) in FIELDS.items()
    ]

    assert rows("### Apps") == [*expected, ["`webhooks`", variable_of(f"{_OF_AN_APP}webhooks"), "`webhooks`"]]


def test_what_no_table_converts_is_written_about() -> None:
    text = section(PAGE, "## From soketi")

    for key in SPECIAL - {"appManager.array.apps", "database.redis.tls"}:
        assert f"`{key}`" in text or f"`{key.rpartition('.')[2]}`" in text, key


def test_every_variable_of_reverb_is_on_the_page() -> None:
    text = section(PAGE, "## From Laravel Reverb")

    names = {*reverb_variables.KNOWN, *reverb_variables.REDIS} - {"REVERB_SERVER"}
    assert {name for name in names if f"`{name}`" not in text} == set()


@pytest.mark.parametrize(("driver", "having"), [("mysql", "CHANGE"), ("pgsql", "RENAME COLUMN")])
def test_the_statements_for_a_soketi_table_are_the_servers(driver: str, having: str) -> None:
    columns = dict.fromkeys(("max_connections", *COLUMNS), Integer())
    flags = dict.fromkeys(("enable_client_messages", "enabled"), SmallInteger())

    shown = the_block(PAGE, "sql", having).splitlines()
    assert shown == [f"{one};" for one in statements("apps", driver, {**columns, **flags})]
