"""The banner that the server prints when it is ready: addresses, limits, and what to try next.

This is text for the person at the terminal. It never shows a secret, except the demo app's, which everybody knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from sockudo import __version__
from sockudo.config.model import Settings
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.rate_limiter import ApiRateLimit, WebSocketRateLimit
from sockudo.supervisor.open_files import room_for_sockets
from sockudo.supervisor.task import workers_text

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]  # the checker sees only the platform it runs on

_MOST_APPS: Final = 10
_WIDTH: Final = 16


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """How many files the process may open: now, and at most if it asks. None is no limit."""

    soft: int | None
    hard: int | None

    @classmethod
    def current(cls) -> OpenFiles:
        """Ask the operating system."""
        if resource is None:
            return cls(None, None)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        infinity = resource.RLIM_INFINITY
        return cls(None if soft == infinity else soft, None if hard == infinity else hard)

    @property
    def sockets(self) -> int | None:
        """How many connections that leaves room for."""
        return None if self.soft is None else room_for_sockets(self.soft)


@dataclass(frozen=True, slots=True)
class ListeningAddress:
    """The address the server really listens on; of a unix socket, `host` is the path.

    Attributes:
        has_tls: whether the port speaks TLS.
    """

    host: str
    port: int
    has_tls: bool = False

    @property
    def is_unix(self) -> bool:
        """Whether it listens on a unix socket."""
        return self.host.startswith("/")

    @property
    def is_everywhere(self) -> bool:
        """Whether it listens on every interface."""
        return self.host in ("0.0.0.0", "::", "")

    @property
    def families(self) -> str:
        """The address families over which clients reach a server that listens on every interface."""
        return "IPv4 and IPv6" if self.host == "::" else self.host

    @property
    def reachable_host(self) -> str:
        """A host under which this machine reaches it."""
        return "localhost" if self.is_everywhere else self.host

    def url(self, scheme: str, path: str) -> str:
        """The URL of a path on this server; `scheme` is that without TLS."""
        if self.is_unix:
            return f"{scheme}+unix://{self.host}:{path}"
        scheme = f"{scheme}s" if self.has_tls else scheme
        host = self.reachable_host
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}{path}"


def banner(
    settings: Settings,
    listening: ListeningAddress,
    open_files: OpenFiles,
    warnings: Sequence[str],
    processes: Sequence[int] | str = (),
) -> Text:
    """Compose the banner; `.plain` is its text without styles.

    `processes` are the workers, where there are several, or what stands for them as long as they do not run.
    """
    text = Text()
    text.append(f"Sockudo {__version__}", style="bold").append(" is ready\n")
    _block(text, "Listening", _listening(settings, listening, processes))
    _block(text, "Apps", _apps(settings))
    _block(text, "Limits", _limits(settings, open_files, a_worker=" a worker" if processes else ""))
    if warnings:
        _block(text, "Warnings", ((f"! {warning}", "") for warning in warnings), style="bold yellow")
    _block(text, "Try next", ((line, "") for line in _try_next(settings, listening)))
    return text


def print_banner(text: Text, stream: TextIO) -> None:
    """Print a banner: with styles on a terminal, plain elsewhere, and never re-wrapped."""
    Console(file=stream, highlight=False, emoji=False, markup=False).print(text, soft_wrap=True)


def _block(text: Text, title: str, lines: Iterable[tuple[str, str]], *, style: str = "bold") -> None:
    text.append(f"\n{title}\n", style=style)
    for name, value in lines:
        text.append(f"  {name:<{_WIDTH}}{value}".rstrip() + "\n" if value else f"  {name}\n")


def _listening(
    settings: Settings, listening: ListeningAddress, processes: Sequence[int] | str
) -> Iterator[tuple[str, str]]:
    where = f"  (all interfaces, {listening.families})" if listening.is_everywhere else ""
    yield "clients", listening.url("ws", f"{settings.path_prefix}/app/{{key}}") + where
    yield "HTTP API", listening.url("http", f"{settings.path_prefix}/apps/{{id}}/events")
    if processes:
        yield "workers", processes if isinstance(processes, str) else workers_text(processes)


def _apps(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.app_manager.driver != "memory":
        yield "database", f"all apps in it ({settings.app_manager.driver}: sockudo apps list)"
    elif not settings.apps:
        yield "none", "no client can connect"
    shown = settings.apps[:_MOST_APPS]
    for app in shown:
        notes = [f"key {app.key}"]
        if not app.enabled:
            notes.append("disabled")
        if app.enable_client_messages:
            rate = app.max_client_events_per_second
            notes.append(f"client events{f' up to {rate}/s' if rate else ''}")
        if app.max_connections:
            notes.append(f"up to {app.max_connections} connections")
        if settings.uses_demo_app:
            notes.append("DEMO: configure an app of your own before others can reach this server")
        yield app.id, ", ".join(notes)
    if len(settings.apps) > len(shown):
        yield f"and {len(settings.apps) - len(shown)} more", ""


def _limits(settings: Settings, open_files: OpenFiles, *, a_worker: str) -> Iterator[tuple[str, str]]:
    events, presence, rates = settings.event_limits, settings.presence, settings.rate_limiter
    yield "connections", _connections(open_files, a_worker)
    yield (
        "messages",
        f"{settings.websocket_max_payload_kb} KB from a client, {settings.websocket.max_buffer_kb} KB waiting for one",
    )
    yield (
        "events",
        f"{events.max_payload_in_kb} KB each, {events.max_channels_at_once} channels, {events.max_batch_size} a batch",
    )
    yield (
        "names",
        f"channels {settings.channel_limits.max_name_length} characters, events {events.max_name_length} characters",
    )
    yield "requests", f"{settings.http_api.request_limit_in_mb} MB"
    yield (
        "presence",
        f"{presence.max_members_per_channel} members a channel, {presence.max_member_size_in_kb} KB each",
    )
    yield (
        "rate limits",
        f"{_rate(rates.api_rate_limit)} requests, {_rate(rates.websocket_rate_limit)} connections, by client address"
        if rates.enabled
        else "off",
    )


def _rate(limit: ApiRateLimit | WebSocketRateLimit) -> str:
    return f"{limit.max_requests} in {limit.window_seconds} s"


def _connections(open_files: OpenFiles, a_worker: str) -> str:
    if open_files.sockets is None:
        return "no limit on open files"
    hard = "unlimited" if open_files.hard is None else open_files.hard
    can_raise = open_files.hard is None or open_files.hard > (open_files.soft or 0)
    hint = "; more with ulimit -n" if can_raise else ""
    return f"about {open_files.sockets}{a_worker} (open files: {open_files.soft}, at most {hard}{hint})"


def _try_next(settings: Settings, listening: ListeningAddress) -> Iterator[str]:
    if listening.is_unix:
        yield f"curl --unix-socket {listening.host} http://localhost{settings.path_prefix}/up"
        return
    yield f"curl {listening.url('http', settings.path_prefix + '/up')}"
    app = next((app for app in settings.apps if app.enabled), None)
    if app is None:
        return
    path = f", wsPath: {json.dumps(settings.path_prefix)}" if settings.path_prefix else ""
    port, force = ("wssPort", "true") if listening.has_tls else ("wsPort", "false")
    yield (
        f'new Pusher({json.dumps(app.key)}, {{wsHost: "{listening.reachable_host}", {port}: {listening.port}{path}, '
        f'forceTLS: {force}, enabledTransports: ["ws"], cluster: ""}})'
    )
    yield from _publish_line(settings, app, listening)


def _publish_line(settings: Settings, app: AppSettings, listening: ListeningAddress) -> Iterator[str]:
    """How a back end publishes: in Python where its library takes the app, else in Node."""
    if settings.path_prefix:  # neither library can put a path before its own
        return
    identity = {
        "key": json.dumps(app.key),
        "secret": json.dumps(app.secret) if settings.uses_demo_app else '"..."',
        "host": f'"{listening.reachable_host}"',
    }
    event = '.trigger("my-channel", "my-event", {"hello": "world"})'
    # The Python library refuses an app id that is not a number.
    if app.id.isdecimal():
        arguments = (
            {"app_id": json.dumps(app.id)} | identity | {"port": str(listening.port), "ssl": str(listening.has_tls)}
        )
        yield f"pusher.Pusher({', '.join(f'{name}={value}' for name, value in arguments.items())}){event}"
    else:
        options = {"appId": json.dumps(app.id)} | identity | {"port": f'"{listening.port}"'}
        options["useTLS"] = "true" if listening.has_tls else "false"
        yield f'new (require("pusher"))({{{", ".join(f"{name}: {value}" for name, value in options.items())}}}){event}'
