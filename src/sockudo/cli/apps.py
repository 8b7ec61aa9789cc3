"""`sockudo apps`: the apps in a database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click
from rich.console import Console
from rich.table import Table

from sockudo.apps.database.store import AppExistsError
from sockudo.cli import app_database
from sockudo.cli.failures import EXIT_CONFIGURATION, report_problems
from sockudo.cli.loading import load_or_exit
from sockudo.config.app_record import app_from_record, read_changes
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, SockudoError

_T = TypeVar("_T")

_UNBROKEN: Final = 10_000
_CREDENTIALS: Final = ("id", "key", "secret")

config_option = click.option(
    "-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help="Configuration file, as for serve."
)
format_option = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="Output.")
set_option = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="A property, as in a configuration file; lists with commas or as JSON, nothing for null. May be repeated.",
)
app_argument = click.argument("app_id", metavar="APP")


@click.group()
def apps() -> None:
    """Manage the apps in the database of app_manager.driver."""


@apps.command()
@config_option
def migrate(config: Path | None) -> None:
    """Make the table of the apps, or add to it what it lacks. Nothing that is there is changed."""
    result = _run(app_database.migrate(_settings(config)))
    for step in result.done:
        click.echo(step[0].upper() + step[1:])
    if result.missing:
        click.echo(f"These columns are missing and cannot be added: {', '.join(result.missing)}", err=True)
        click.echo(result.reason, err=True)
        sys.exit(1)
    if not result.done:
        click.echo("Nothing to do: everything is there.")


@apps.command("list")
@config_option
@format_option
def list_apps(config: Path | None, form: str) -> None:
    """List the apps, without their secrets."""
    rows = [_shown(record) for record in _run(app_database.list_apps(_settings(config)))]
    if form == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "key", "enabled", "connections", "origins", "webhooks", "problems"):
        table.add_column(name, overflow="fold")
    for row in rows:
        origins = row["allowed_origins"]
        table.add_row(
            str(row["id"]),
            str(row["key"]),
            "no" if row["enabled"] is False else "yes",
            str(row["max_connections"] or "any number"),
            ", ".join(map(str, origins)) if isinstance(origins, list) and origins else "any",
            str(row["webhooks"]),
            "; ".join(row["problems"]),
        )
    # Lines are broken for people only; programs get one for each app.
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _UNBROKEN).print(table)


@apps.command()
@config_option
@format_option
@click.option("--id", "app_id", metavar="ID", help="Id of the app (default: made up).")
@click.option("--key", metavar="KEY", help="Public key (default: made up).")
@click.option(
    "--secret", metavar="SECRET", help="Secret (default: made up, which keeps it out of the shell's history)."
)
@set_option
def create(
    config: Path | None, form: str, app_id: str | None, key: str | None, secret: str | None, changes: tuple[str, ...]
) -> None:
    """Add an app and print its credentials, which no other command shows."""
    settings = _settings(config)
    properties = _read(changes)
    for name, value in (("id", app_id), ("key", key), ("secret", secret)):
        if value is not None and name in properties:
            raise click.UsageError(f"--{name} and --set {name}=... exclude each other")
        if value is not None:
            properties[name] = value
    record = _run(app_database.create(settings, properties))
    _print_credentials(record, form)
    _announce(settings, record["id"], is_new=True)


@apps.command()
@config_option
@app_argument
@set_option
def update(config: Path | None, app_id: str, changes: tuple[str, ...]) -> None:
    """Change properties of an app."""
    properties = _read(changes)
    if not properties:
        raise click.UsageError("nothing to change: give at least one --set NAME=VALUE")
    if "id" in properties:
        raise click.UsageError("the id of an app cannot be changed: create another app")
    settings = _settings(config)
    _run(app_database.update(settings, app_id, properties))
    click.echo(f"Updated {app_id}.")
    _announce(settings, app_id)


@apps.command()
@config_option
@app_argument
@click.confirmation_option(prompt="Its connections stay until they are closed. Delete the app?")
def delete(config: Path | None, app_id: str) -> None:
    """Remove an app."""
    settings = _settings(config)
    _run(app_database.delete(settings, app_id))
    click.echo(f"Deleted {app_id}.")
    _announce(settings, app_id)


@apps.command("rotate-key")
@config_option
@format_option
@app_argument
@click.option("--keep-key", is_flag=True, help="Change the secret only, so that clients need not be changed.")
@click.option("--keep-secret", is_flag=True, help="Change the key only.")
def rotate_key(config: Path | None, form: str, app_id: str, keep_key: bool, keep_secret: bool) -> None:
    """Give an app a new key and a new secret, and print them. The old ones are refused from then on."""
    if keep_key and keep_secret:
        raise click.UsageError("nothing to change: --keep-key and --keep-secret exclude each other")
    settings = _settings(config)
    fresh = {"key": app_database.new_key(), "secret": app_database.new_secret()}
    kept = {"key"} if keep_key else {"secret"} if keep_secret else set()
    properties = {name: value for name, value in fresh.items() if name not in kept}
    record = _run(app_database.update(settings, app_id, properties))
    _print_credentials({name: record[name] for name in _CREDENTIALS if name not in kept}, form)
    _announce(settings, app_id)


def _settings(config: Path | None) -> Settings:
    return load_or_exit(config).settings


def _read(changes: tuple[str, ...]) -> dict[str, Any]:
    """Return what `--set` says, or tell the user what is wrong with it and exit."""
    pairs = []
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise click.UsageError("--set needs NAME=VALUE")
        pairs.append((name.strip(), text))
    try:
        return read_changes(pairs)
    except ConfigError as error:
        _exit_with(error.problems)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Do it, or tell the user why that fails and exit."""
    try:
        return asyncio.run(work)
    except ConfigError as error:
        _exit_with(error.problems)
    except (AppExistsError, app_database.AppUnknownError) as error:
        click.echo(str(error)[0].upper() + str(error)[1:] + ".", err=True)
        sys.exit(1)
    except SockudoError as error:
        click.echo(f"The database cannot be used: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)


def _exit_with(problems: list[str]) -> NoReturn:
    report_problems(ConfigError(problems))
    sys.exit(EXIT_CONFIGURATION)


def _announce(settings: Settings, app_id: str, *, is_new: bool = False) -> None:
    note = _run(app_database.announce(settings, app_id, is_new=is_new))
    if note is not None:
        click.echo(note, err=True)


def _shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be shown of an app: of its webhooks only how many, because their addresses may be secret."""
    try:
        app_from_record(record)
        problems = []
    except ConfigError as error:
        problems = error.problems
    shown = {name: value for name, value in record.items() if name not in ("secret", "webhooks", "policy")}
    webhooks = record["webhooks"]
    return shown | {"webhooks": len(webhooks) if isinstance(webhooks, list) else 0, "problems": problems}


def _print_credentials(record: Mapping[str, Any], form: str) -> None:
    found = {name: record[name] for name in _CREDENTIALS if name in record}
    if form == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for name, value in found.items():
        click.echo(f"{name + ':':8}{value}")
