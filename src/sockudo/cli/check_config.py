"""`sockudo check-config`: check a configuration and print its problems, or every setting with its value."""

from __future__ import annotations

import asyncio
import sys

import click

from sockudo.assembly.apps import store_options
from sockudo.assembly.cluster import bus_from_settings
from sockudo.assembly.stores import stores_from_settings
from sockudo.assembly.webhooks import needs_webhooks, webhook_queue
from sockudo.cli.failures import EXIT_CONFIGURATION, report_problems
from sockudo.cli.show_config import as_json, as_table
from sockudo.config.load import Loaded
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, MissingExtraError
from sockudo.timing.clock import LoopClock


def check(loaded: Loaded, *, show: bool, as_json_text: bool) -> None:
    """Print warnings and a summary, or with `show` every setting; problems end the process with status 2."""
    _check_drivers(loaded.settings)
    if as_json_text:
        click.echo(as_json(loaded, loaded.warnings), nl=False)
        return
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}")
    if show:
        click.echo(as_table(loaded), nl=False)
        return
    click.echo("OK")
    for line in summary(loaded):
        click.echo(f"  {line}")


def _check_drivers(settings: Settings) -> None:
    """Make the drivers, without starting them: what they lack is a problem now and not at the start."""
    try:
        asyncio.run(_make_drivers(settings))
    except ConfigError as error:
        report_problems(error)
        sys.exit(EXIT_CONFIGURATION)
    except MissingExtraError as error:
        click.echo(f"The server cannot start: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)


async def _make_drivers(settings: Settings) -> None:
    """Make what a server makes of its settings, in an event loop as there.

    Raises:
        ConfigError: drivers lack settings.
        MissingExtraError: what a driver needs is not installed.
    """
    clock = LoopClock(asyncio.get_running_loop())
    problems: list[str] = []
    for make in (
        lambda: bus_from_settings(settings),
        lambda: stores_from_settings(settings, clock),
        lambda: webhook_queue(settings, clock) if needs_webhooks(settings) else None,
    ):
        try:
            make()
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def summary(loaded: Loaded) -> list[str]:
    """Describe the settings in a few lines, without secrets."""
    settings = loaded.settings
    apps = [f"{app.id} (key {app.key})" for app in settings.apps]
    if settings.app_manager.driver != "memory":
        apps.insert(0, f"those in {store_options(settings).place}")
    variables = set(loaded.sources.values()).union(*loaded.variables.values())
    return [
        f"file         {loaded.config_file or 'none, only defaults and the environment'}",
        f"environment  {', '.join(sorted(variables)) or 'sets nothing'}",
        f"listen       {_where(settings)}{settings.path_prefix}",
        f"apps         {', '.join(apps) or 'none'}",
        f"adapter      {settings.adapter.driver}",
        f"cache        {settings.cache.driver}",
        f"rate limits  {'on' if settings.rate_limiter.enabled else 'off'}",
        f"log level    {settings.log_level}",
    ]


def _where(settings: Settings) -> str:
    if settings.unix_socket.enabled:
        return f"unix:{settings.unix_socket.path}:"
    return f"{settings.host}:{settings.port}" + (" (TLS)" if settings.ssl.enabled else "")
