"""`sockudo serve`: load the settings and run the server until it is told to stop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click

from sockudo.cli.loading import EXIT_CONFIGURATION, load_or_exit, report_problems
from sockudo.config.load import Loaded
from sockudo.errors import ConfigError, SockudoError


def run_server(config: Path | None, host: str | None, port: str | None) -> None:
    """Start the server and exit with its status."""
    loaded = load_or_exit(config, host=host, port=port)
    # Only this command needs the server, so only this command waits for it to be imported.
    run: Callable[[Loaded], int] = import_module("sockudo.bootstrap").run
    try:
        status = run(loaded)
    except ConfigError as error:
        report_problems(error)
        status = EXIT_CONFIGURATION
    except SockudoError as error:
        click.echo(f"The server cannot start: {error}", err=True)
        status = EXIT_CONFIGURATION
    sys.exit(status)
