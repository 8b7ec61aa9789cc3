"""Load the settings for a command, or tell the user why that fails and exit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sockudo.cli.failures import EXIT_CONFIGURATION, report_problems
from sockudo.config.load import Loaded, load
from sockudo.errors import ConfigError


def load_or_exit(
    config: Path | None, *, host: str | None = None, port: str | None = None, workers: str | None = None
) -> Loaded:
    """Read every source of settings; on problems print them all and exit with status 2."""
    try:
        return load(config, os.environ, {"host": host, "port": port, "workers": workers}, Path.cwd())
    except ConfigError as error:
        report_problems(error)
        sys.exit(EXIT_CONFIGURATION)
