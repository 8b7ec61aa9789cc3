"""`sockudo webhooks`: show the queue, list failed deliveries, retry them, and follow attempts live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from sockudo.cli.failures import EXIT_CONFIGURATION, report_problems
from sockudo.cli.loading import load_or_exit
from sockudo.cluster.messages.state import Delivered
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, SockudoError
from sockudo.queues.base import FailedJob, Queue, QueueCounts
from sockudo.webhooks.delivery.job import Job, decode_job, event_names

T = TypeVar("T")

_IN_PROCESS: Final = (
    "queue.driver: the queue is in the memory of each server, where no command can reach it; deliveries that failed "
    "are in the servers' logs (`webhook given up`)"
)


def show_status(config: Path | None) -> None:
    """Print what the queue holds."""
    counts = _with_queue(config, lambda queue: queue.counts())
    click.echo(_status(counts))


def list_failed(config: Path | None, limit: int, *, as_json_lines: bool) -> None:
    """Print the deliveries that failed last, the newest last."""
    jobs = _with_queue(config, lambda queue: queue.failed(limit))
    if as_json_lines:
        for job in jobs:
            click.echo(json.dumps(_described(job)))
    elif not jobs:
        click.echo("No delivery has failed.")
    else:
        # What is in the table may be any text, and means nothing to the console.
        console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 200)
        console.print(_table(jobs, time.time()))


def retry_failed(config: Path | None, ids: Sequence[str], *, everything: bool) -> None:
    """Put failed deliveries back into the queue: those with the given ids, or all."""
    if everything == bool(ids):
        raise click.UsageError("say which deliveries: their ids as `sockudo webhooks failed` prints them, or --all")
    count = _with_queue(config, lambda queue: queue.retry(None if everything else list(ids)))
    click.echo(f"{count} {'delivery waits' if count == 1 else 'deliveries wait'} again.")
    if ids and count < len(set(ids)):
        click.echo(f"{len(set(ids)) - count} of the ids are not in the list.", err=True)
        sys.exit(1)


def tail(config: Path | None, *, as_json_lines: bool) -> None:
    """Print every attempt of every node as it happens, until interrupted."""
    settings = load_or_exit(config).settings
    show = _print_json if as_json_lines else _print_line
    with contextlib.suppress(KeyboardInterrupt):
        _run(_tail(settings, show))


async def _tail(settings: Settings, show: Callable[[Delivered], None]) -> None:
    # Only this command needs drivers, so only this command waits for them to be imported.
    from sockudo.assembly.cluster import bus_from_settings
    from sockudo.cluster.visitors import follow_deliveries

    adapter, _ = bus_from_settings(settings)
    if adapter is None:
        raise ConfigError(
            [
                "adapter.driver: `sockudo webhooks tail` needs a bus between the nodes, and local has none; see the "
                "server's log for failed deliveries (`webhook not delivered`)"
            ]
        )
    click.echo("Waiting for deliveries; Ctrl-C ends.", err=True)
    await follow_deliveries(adapter, show)


def _with_queue(config: Path | None, ask: Callable[[Queue], Awaitable[T]]) -> T:
    settings = load_or_exit(config).settings

    async def answer() -> T:
        from sockudo.assembly.queue import queue_from_settings
        from sockudo.timing.clock import LoopClock

        if settings.queue.driver in ("memory", "none"):
            raise ConfigError([_IN_PROCESS])
        queue = queue_from_settings(settings, LoopClock(asyncio.get_running_loop()))
        try:
            return await ask(queue)
        finally:
            await queue.aclose()

    result: T = _run(answer())
    return result


def _run(step: Any) -> Any:
    try:
        return asyncio.run(step)
    except ConfigError as error:
        report_problems(error)
    except SockudoError as error:
        click.echo(str(error), err=True)
    sys.exit(EXIT_CONFIGURATION)


def _status(counts: QueueCounts) -> str:
    return "\n".join(
        [
            f"waiting    {counts.depth}",
            f"oldest     {counts.oldest:.1f} s",
            f"failed     {counts.failed}",
        ]
    )


def _described(job: FailedJob) -> dict[str, object]:
    content = _content(job)
    return {
        "id": job.id,
        "failed_at": round(job.failed_at, 3),
        "app": content.app,
        "webhook": content.webhook,
        "attempts": job.attempts,
        "reason": job.reason,
        "events": event_names(content),
    }


def _table(jobs: Sequence[FailedJob], now: float) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "failed", "app", "webhook", "attempts", "events", "reason"):
        table.add_column(name, overflow="fold")
    for job in jobs:
        content = _content(job)
        ago, events = f"{max(0, int(now - job.failed_at))} s ago", _summary(event_names(content))
        table.add_row(job.id, ago, content.app, content.webhook, str(job.attempts), events, job.reason)
    return table


def _content(job: FailedJob) -> Job:
    """Return what a job is about; where that cannot be read, what its lane says."""
    app, _, webhook = job.lane.rpartition("/")
    return decode_job(job.job) or Job(app, webhook, 0, msgspec.Raw(b"[]"))


def _summary(names: Sequence[str]) -> str:
    """Say how many events there are of each name, in the order in which the names come first."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())


def _print_line(one: Delivered) -> None:
    at = time.strftime("%H:%M:%S", time.localtime(one.at))
    what = f"{at} {one.result:<9} app {one.app} webhook {one.webhook} attempt {one.attempt} {one.seconds * 1000:.0f} ms"
    again = f", again in {one.after:.1f} s" if one.result == "retry" else ""
    why = f": {one.reason}" if one.reason else ""
    click.echo(f"{what} ({_summary(one.events)}){why}{again}")


def _print_json(one: Delivered) -> None:
    fields = ("at", "app", "webhook", "events", "attempt", "seconds", "result", "reason", "after")
    click.echo(json.dumps({name: getattr(one, name) for name in fields}))
