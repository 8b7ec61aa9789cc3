"""`sockudo serve`: load the settings and run the server until it is told to stop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TypeAlias

import click

from sockudo import log
from sockudo.cli.banner import Listening, OpenFiles, banner, print_banner
from sockudo.cli.loading import EXIT_CONFIGURATION, load_or_exit, report_problems
from sockudo.config.load import Loaded
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, SockudoError

_Addresses: TypeAlias = list[tuple[str, int]]


def run_server(config: Path | None, host: str | None, port: str | None) -> None:
    """Start the server and exit with its status."""
    loaded = load_or_exit(config, host=host, port=port)
    settings = loaded.settings
    _configure_log(settings)
    # Only this command needs the server, so only this command waits for it to be imported.
    from sockudo.bootstrap import run

    try:
        status = run(settings, lambda addresses: _greet(loaded, addresses))
    except ConfigError as error:
        report_problems(error)
        status = EXIT_CONFIGURATION
    except SockudoError as error:
        click.echo(f"The server cannot start: {error}", err=True)
        status = EXIT_CONFIGURATION
    except OSError as error:
        address = f"{settings.host}:{settings.port}"
        click.echo(f"The server cannot listen on {address} (host, port): {error}", err=True)
        status = EXIT_CONFIGURATION
    sys.exit(status)


def _greet(loaded: Loaded, addresses: _Addresses) -> None:
    listening = Listening(*addresses[0])
    print_banner(banner(loaded.settings, listening, OpenFiles.current(), loaded.warnings), sys.stdout)
    sys.stdout.flush()


def _configure_log(settings: Settings) -> None:
    logging = settings.logging
    log.configure(
        level=settings.log_level,
        output_format=logging.output_format,
        debug=settings.debug,
        colors=logging.colors_enabled,
        include_target=logging.include_target,
    )
