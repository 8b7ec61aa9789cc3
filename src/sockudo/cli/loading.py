"""Load the settings for a command, or tell the user why that fails and exit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from sockudo.config.load import Loaded, load
from sockudo.errors import ConfigError

# Also the status of a wrong command line; every other failure is 1.
EXIT_CONFIGURATION: Final = 2


def load_or_exit(
    config: Path | None, *, host: str | None = None, port: str | None = None, workers: str | None = None
) -> Loaded:
    """Read every source of settings; on problems print them all and exit with status 2."""
    try:
        return load(config, os.environ, {"host": host, "port": port, "workers": workers}, Path.cwd())
    except ConfigError as error:
        report_problems(error)
        sys.exit(EXIT_CONFIGURATION)


def report_problems(error: ConfigError) -> None:
    """Print a headline and one line for each problem to stderr."""
    count = len(error.problems)
    click.echo(f"The configuration has {count} problem{'s' if count != 1 else ''}:", err=True)
    for problem in error.problems:
        click.echo(f"  {problem}", err=True)
