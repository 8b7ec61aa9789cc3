"""`sockudo check-config`: say whether a configuration can be used, and what it amounts to."""

from __future__ import annotations

from pathlib import Path

import click

from sockudo.cli.loading import load_or_exit
from sockudo.config.load import Loaded


def check(config: Path | None) -> None:
    """Print warnings and a summary; problems end the process with status 2."""
    loaded = load_or_exit(config)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}")
    click.echo("OK")
    for line in summary(loaded):
        click.echo(f"  {line}")


def summary(loaded: Loaded) -> list[str]:
    """Describe the settings in a few lines, without secrets."""
    settings = loaded.settings
    apps = ", ".join(f"{app.id} (key {app.key})" for app in settings.apps)
    return [
        f"file         {loaded.config_file or 'none, only defaults and the environment'}",
        f"environment  {', '.join(sorted(set(loaded.sources.values()))) or 'sets nothing'}",
        f"listen       {settings.host}:{settings.port}{settings.path_prefix}",
        f"apps         {apps}",
        f"cache        {settings.cache.driver}",
        f"rate limits  {'on' if settings.rate_limiter.enabled else 'off'}",
        f"log level    {settings.log_level}",
    ]
