"""`sockudo serve`: load the settings and run the server until it is told to stop, in one process or in several."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import click

from sockudo import log
from sockudo.cli.banner import Listening, OpenFiles, banner, print_banner
from sockudo.cli.loading import EXIT_CONFIGURATION, load_or_exit, report_problems
from sockudo.config.load import Loaded
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, SockudoError
from sockudo.supervisor.cores import usable_cores
from sockudo.supervisor.worker import Worker

# What a service manager may try again, unlike a configuration that cannot be used.
_EXIT_FAILED: Final = 1

_log = log.get_logger("sockudo")

_Addresses: TypeAlias = list[tuple[str, int]]


def run_server(config: Path | None, host: str | None, port: str | None, workers: str | None) -> None:
    """Start the server and exit with its status."""
    worker = Worker.from_environment(os.environ)
    try:
        loaded = load_or_exit(config, host=host, port=port, workers=workers)
    except SystemExit:
        if worker is not None:
            worker.failed("the configuration cannot be used any more")
        raise
    settings = loaded.settings
    _configure_log(settings)
    count = usable_cores() if settings.workers == "auto" else settings.workers
    if worker is not None:
        status = _run_worker(settings, worker)
    elif count > 1:
        status = _reporting(lambda: _run_workers(loaded, count))
    else:
        status = _reporting(lambda: _run_alone(loaded))
    sys.exit(status)


def _run_alone(loaded: Loaded) -> int:
    # Only this command needs the server, so only this command waits for it to be imported; a supervisor never does.
    from sockudo.assembly.run import run

    return run(loaded.settings, lambda addresses: _greet(loaded, addresses, ()))


def _run_workers(loaded: Loaded, count: int) -> int:
    from sockudo.supervisor.socket_file import SocketFile
    from sockudo.supervisor.supervisor import Plan, supervise

    settings = loaded.settings
    path = settings.unix_socket
    plan = Plan(
        host=settings.host,
        port=settings.port,
        count=count,
        balanced=settings.worker_sockets == "balanced",
        grace=settings.shutdown_grace_period,
        # The same command again, however it was started.
        command=[sys.executable, *sys.orig_argv[1:]],
        environment=os.environ,
        socket_file=SocketFile(path.path, path.mode, path.owner) if path.enabled else None,
    )
    return supervise(plan, lambda addresses, processes: _greet(loaded, addresses, processes))


def _run_worker(settings: Settings, worker: Worker) -> int:
    from sockudo.assembly.run import run

    log.label(worker=worker.index)
    worker.take_name()
    try:
        return run(settings, lambda _: None, worker)
    except SockudoError as error:
        # The supervisor says it, once for all workers, if it gives up.
        worker.failed(str(error))
        return EXIT_CONFIGURATION
    except OSError as error:
        _log.error("server failed", exc_info=error)
        worker.failed(str(error))
        return _EXIT_FAILED


def _reporting(run: Callable[[], int]) -> int:
    """Run, or say why the server cannot start; the status does not depend on whether anybody can read that."""
    try:
        return run()
    except ConfigError as error:
        with _said_last():
            report_problems(error)
    except SockudoError as error:
        with _said_last():
            click.echo(f"The server cannot start: {error}", err=True)
    except OSError as error:
        _log.error("server failed", exc_info=error)
        with _said_last():
            click.echo(f"The server has failed: {error}", err=True)
        return _EXIT_FAILED
    return EXIT_CONFIGURATION


@contextlib.contextmanager
def _said_last() -> Iterator[None]:
    """Let something be said behind the lines of the log, where stderr can be written."""
    log.flush()
    with contextlib.suppress(OSError):
        yield


class _Banner(io.StringIO):
    """Takes the banner; it has the styles that the output can show."""

    def isatty(self) -> bool:
        return sys.stdout is not None and sys.stdout.isatty()


def _greet(loaded: Loaded, addresses: _Addresses, processes: Sequence[int]) -> None:
    listening = Listening(
        *addresses[0], has_tls=loaded.settings.ssl.enabled and not loaded.settings.unix_socket.enabled
    )
    text = banner(loaded.settings, listening, OpenFiles.current(), loaded.warnings, processes)
    stream = _Banner()
    print_banner(text, stream)
    # A line of the log as any other: it holds nobody up where nobody reads it.
    log.write(stream.getvalue())


def _configure_log(settings: Settings) -> None:
    logging = settings.logging
    log.configure(
        level=settings.log_level,
        output_format=logging.output_format,
        debug=settings.debug,
        colors=logging.colors_enabled,
        include_target=logging.include_target,
    )
