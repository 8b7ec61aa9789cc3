"""Runs a server: the event loop, signals, and the order of start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine
from typing import Final

from sockudo.assembly.cluster import Bus, bus_from_settings
from sockudo.assembly.makers.tracing import makers_from_settings
from sockudo.assembly.server import Assembly, SharedByWorkers, assemble
from sockudo.assembly.signals import LogSignals, ReloadSignal
from sockudo.assembly.start import end_process, started, stop_within
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings
from sockudo.log import get_logger
from sockudo.ratelimit.area import SharedArea
from sockudo.ratelimit.memory import SIZE
from sockudo.server.diagnosis import Diagnosis
from sockudo.supervisor.kept_signals import drop_signals, keep_signals, take_kept_signals
from sockudo.supervisor.open_files import raise_limit
from sockudo.supervisor.service_manager import ServiceManager
from sockudo.supervisor.stopping import Stopping
from sockudo.supervisor.worker import Worker
from sockudo.timing.clock import Clock, LoopClock

_log = get_logger("sockudo")

# New objects before they are looked at; how often that is before those that stayed are, and that before all are.
COLLECT_AFTER: Final = (10_000, 2, 1_000_000)

# How long all parts together may take to stop when the process is told to hurry.
_HURRY_SECONDS: Final = 1.0

# Workers share a machine: no network between them can be slow, and who is silent is dead.
_WORKER_TIMES = ClusterTimes(heartbeat_interval=0.5, node_timeout=3.0, introduction=0.05)


def run(
    settings: Settings,
    on_start: Callable[[list[tuple[str, int]]], None],
    worker: Worker | None = None,
    bus: Bus | None = None,
    make_clock: Callable[[asyncio.AbstractEventLoop], Clock] = LoopClock,
    manager: ServiceManager | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, which is 0 also for a start that was given up.

    Signals may have been kept waiting until this takes them.

    Args:
        on_start: called with the addresses once the server listens.
        worker: what a supervisor has given to this process, which is one of several.
        bus: how to reach the other nodes, and the times of the cluster; None for what the settings say.
        make_clock: where time comes from.
        manager: the service manager of this process, unless it is a worker: its supervisor has one.

    Raises:
        ConfigError: a driver lacks a setting.
        DriverError: a store or the bus cannot be used.
        MissingExtraError: what a driver needs is not installed.
        ListenError: the address cannot be had.
    """
    raise_limit()
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        status = runner.run(_serve(settings, on_start, worker, bus, make_clock, manager or ServiceManager()))
    drop_signals()
    return status


async def _serve(
    settings: Settings,
    on_start: Callable[[list[tuple[str, int]]], None],
    worker: Worker | None,
    bus: Bus | None,
    make_clock: Callable[[asyncio.AbstractEventLoop], Clock],
    manager: ServiceManager,
) -> int:
    loop = asyncio.get_running_loop()
    stopping = Stopping()
    stopping.listen(loop)
    reloads = ReloadSignal(manager)
    reloads.listen(loop)
    log_signals = LogSignals()
    if worker is not None:
        await worker.follow(stopping, log_signals.diagnose)
    else:
        log_signals.listen(loop)
    take_kept_signals()
    clock = make_clock(loop)
    adapter, times = bus or bus_from_settings(settings)
    makers, shared = makers_from_settings(settings), None
    if worker is not None:
        shared = SharedByWorkers(worker.index, worker.worker_sockets, SharedArea(worker.counts, SIZE))
        if adapter is None:
            adapter, times = worker.adapter(), _WORKER_TIMES
    assembly = assemble(settings, clock, adapter, times, shared=shared, makers=makers)
    log_signals.diagnosis = Diagnosis(assembly.front, assembly.node)
    sockets, side = (manager.sockets, None) if worker is None else (worker.sockets, worker.side)
    addresses = await started(assembly, sockets, side, stopping)
    if addresses is not None:
        _settle_memory()
        on_start(addresses)
        await _serve_until_asked(stopping, worker, manager, reloads)
        await _leave(assembly, settings, stopping, clock)
    if worker is not None:
        worker.tidy()
    manager.close()
    _log.info("server stopped")
    if addresses is None or stopping.is_hurried:
        end_process()
    # The process ends now, and no further signal changes how.
    keep_signals()
    return 0


async def _serve_until_asked(
    stopping: Stopping, worker: Worker | None, manager: ServiceManager, reloads: ReloadSignal
) -> None:
    """Tell whoever started this process that it serves, and wait until it is to stop."""
    manager.ready()
    if worker is not None:
        worker.ready()
    reloads.is_serving = True
    await stopping.asked()
    reloads.is_serving = False
    manager.stopping()


async def _leave(assembly: Assembly, settings: Settings, stopping: Stopping, clock: Clock) -> None:
    """Take leave in order: `/ready` red for a while, then clients sent elsewhere, then webhooks and the bus."""
    _log.info("server shutting down", reason=stopping.reason, grace_period=settings.shutdown_grace_period)
    # A worker that another one replaces need not be taken out: its port is served on.
    announced = 0 if stopping.linger else settings.readiness_delay
    if announced:
        await _unless_hurried(assembly.server.announce(announced), stopping)
    deadline = clock.monotonic() + settings.shutdown_grace_period + stopping.linger
    await _unless_hurried(assembly.server.drain(settings.shutdown_grace_period, linger=stopping.linger), stopping)
    await _unless_hurried(assembly.stop(max(0.0, deadline - clock.monotonic())), stopping)
    if stopping.is_hurried:
        await stop_within(assembly, _HURRY_SECONDS)


async def _unless_hurried(step: Coroutine[None, None, None], stopping: Stopping) -> None:
    """Take a step of leaving in order; a second signal ends it at once."""
    leaving = asyncio.ensure_future(step)
    hurry = asyncio.ensure_future(stopping.hurried())
    await asyncio.wait({leaving, hurry}, return_when=asyncio.FIRST_COMPLETED)
    for task in (leaving, hurry):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _settle_memory() -> None:
    """Keep the collector from going through every connection again and again.

    What is there now stays for ever. Connections are freed by their reference counts; the collector is only for
    accidental cycles. It looks at what is new and at little of that at once, so that a node that learns of hundreds of
    thousands of channels does not stop for it, and it never goes through everything.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
