"""`sockudo nodes`: ask every node of the cluster to report itself, and print the answers."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from sockudo.cli.failures import EXIT_CONFIGURATION, report_problems
from sockudo.cli.loading import load_or_exit
from sockudo.cluster.messages.state import Heartbeat
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, SockudoError

WAIT: Final = 1.0
# Wider than any row: a terminal may break a line, but an id or a heading that is cut cannot be read.
_UNBROKEN: Final = 1000


def list_nodes(config: Path | None, seconds: float = WAIT) -> None:
    """Print what answers on the configured bus; exit with 1 when nothing does."""
    settings = load_or_exit(config).settings
    try:
        found = asyncio.run(_ask(settings, seconds))
    except ConfigError as error:
        report_problems(error)
        sys.exit(EXIT_CONFIGURATION)
    except SockudoError as error:
        click.echo(f"The bus cannot be used: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)
    if not found:
        click.echo(f"No node answered in {seconds:g} s.", err=True)
        sys.exit(1)
    # A host may have any name, and means nothing to the console.
    Console(highlight=False, markup=False, emoji=False, width=_UNBROKEN).print(_table(found, time.time()))


async def _ask(settings: Settings, seconds: float) -> dict[str, Heartbeat]:
    # Only this command needs drivers, so only this command waits for them to be imported.
    from sockudo.assembly.cluster import bus_from_settings
    from sockudo.cluster.visitors import roll_call

    adapter, _ = bus_from_settings(settings)
    if adapter is None:
        raise ConfigError(["adapter.driver: local has no other nodes; set the driver that the nodes use"])
    return await roll_call(adapter, seconds)


def _table(found: dict[str, Heartbeat], now: float) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("node", "host", "process", "version"):
        table.add_column(name)
    for name in ("age", "connections", "channels", "topics", "lag"):
        table.add_column(name, justify="right")
    for node_id, node in sorted(found.items(), key=lambda item: item[1].started_at):
        table.add_row(
            node_id,
            node.host,
            str(node.process),
            node.version,
            _age(now - node.started_at),
            str(node.connections),
            str(node.channels),
            str(node.topics),
            f"{node.lag * 1000:.1f} ms",
        )
    return table


def _age(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}"
