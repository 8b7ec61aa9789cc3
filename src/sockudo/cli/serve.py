"""`sockudo serve`: load the settings and run the server until it is told to stop, in one process or in several."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sockudo import log
from sockudo.cli.banner import ListeningAddress, OpenFiles, banner, print_banner
from sockudo.cli.failures import EXIT_CONFIGURATION, EXIT_FAILED, reporting
from sockudo.cli.loading import load_or_exit
from sockudo.config.load import Loaded
from sockudo.config.model import Settings
from sockudo.errors import ConfigError, SockudoError
from sockudo.supervisor.cores import usable_cores
from sockudo.supervisor.kept_signals import keeping_signals
from sockudo.supervisor.orders import WORKER_VARIABLE
from sockudo.supervisor.task import WORKERS_MARK

if TYPE_CHECKING:
    from sockudo.supervisor.worker import Worker

_log = log.get_logger("sockudo")

_Addresses: TypeAlias = list[tuple[str, int]]


def run_server(config: Path | None, host: str | None, port: str | None, workers: str | None) -> None:
    """Start the server and exit with its status."""
    worker = _worker()
    if worker is None:
        # Nothing has begun that a signal would have to stop; what it asks for is done once somebody takes it.
        with keeping_signals():
            status = _run_first(config, host, port, workers)
    else:
        try:
            loaded = load_or_exit(config, host=host, port=port, workers=workers)
        except SystemExit:
            worker.refused("the configuration cannot be used any more")
            raise
        status = _run_worker(loaded.settings, worker)
    sys.exit(status)


def _run_first(config: Path | None, host: str | None, port: str | None, workers: str | None) -> int:
    """Run the process that was started: the only one, or the supervisor of several."""
    loaded = load_or_exit(config, host=host, port=port, workers=workers)
    count = usable_cores() if loaded.settings.workers == "auto" else loaded.settings.workers
    if count > 1:
        return reporting(lambda: _run_workers(loaded, count))
    return reporting(lambda: _run_alone(loaded))


def _worker() -> Worker | None:
    """Return what a supervisor has given to this process, if one has."""
    if WORKER_VARIABLE not in os.environ:
        # A command that becomes a supervisor needs no event loop, and so waits for none to be imported.
        return None
    from sockudo.supervisor.worker import Worker

    # Before the settings are read, which takes a while.
    Worker.leave_signals()
    return Worker.from_environment(os.environ)


def _run_alone(loaded: Loaded) -> int:
    log.configure(**_logging(loaded.settings))
    # Only this command needs the server, so only this command waits for it to be imported; a supervisor never does.
    from sockudo.assembly.run import run
    from sockudo.supervisor.service_manager import ServiceManager

    manager = ServiceManager.from_environment(os.environ)
    return run(loaded.settings, lambda addresses: log.write(_greeting(loaded, addresses)), manager=manager)


def _run_workers(loaded: Loaded, count: int) -> int:
    from sockudo.assembly.side_ports import side_ports_from_settings
    from sockudo.supervisor.listening.activation import take_activated_sockets
    from sockudo.supervisor.listening.socket_file import socket_file_of
    from sockudo.supervisor.reexec import Plan, become_supervisor

    settings = loaded.settings
    log.configure(**_logging(settings), plain=True)
    plan = Plan(
        host=settings.host,
        port=settings.port,
        count=count,
        balanced=settings.worker_sockets == "balanced",
        grace=settings.readiness_delay + settings.shutdown_grace_period,
        # The same command again, however it was started.
        command=[sys.executable, *sys.orig_argv[1:]],
        environment=os.environ,
        logging=_logging(settings),
        sockets=take_activated_sockets(os.environ),
        socket_file=socket_file_of(settings.unix_socket),
        side_ports=side_ports_from_settings(settings),
    )
    return become_supervisor(plan, lambda addresses: _greeting(loaded, addresses, WORKERS_MARK))


def _run_worker(settings: Settings, worker: Worker) -> int:
    log.configure(**_logging(settings))
    log.label(worker=worker.index)
    from sockudo.assembly.run import run

    worker.take_name()
    try:
        return run(settings, lambda _: None, worker)
    except ConfigError as error:
        worker.refused(str(error))
        return EXIT_CONFIGURATION
    except SockudoError as error:
        # The supervisor says it, once for all workers, if it gives up.
        worker.failed(str(error))
        return EXIT_CONFIGURATION
    except OSError as error:
        _log.error("server failed", exc_info=error)
        worker.failed(str(error))
        return EXIT_FAILED


class _Banner(io.StringIO):
    """Takes the banner; it has the styles that the output can show."""

    def isatty(self) -> bool:
        return sys.stdout is not None and sys.stdout.isatty()


def _greeting(loaded: Loaded, addresses: _Addresses, workers: Sequence[int] | str = ()) -> str:
    """Return the banner. It is written as a line of the log: it holds nobody up where nobody reads it."""
    listening = ListeningAddress(*addresses[0], has_tls=loaded.settings.speaks_tls)
    text = banner(loaded.settings, listening, OpenFiles.current(), loaded.warnings, workers)
    stream = _Banner()
    print_banner(text, stream)
    return stream.getvalue()


def _logging(settings: Settings) -> dict[str, Any]:
    """Return the arguments of `log.configure`."""
    logging = settings.logging
    return {
        "level": settings.log_level,
        "output_format": logging.output_format,
        "debug": settings.debug,
        "colors": logging.colors_enabled,
        "include_target": logging.include_target,
    }
