"""The banner: where the server listens, its apps and limits, and what to try."""

from __future__ import annotations

import io
from typing import Any

import pytest

from sockudo.cli import banner as banner_module
from sockudo.cli.banner import ListeningAddress, OpenFiles, banner, print_banner
from sockudo.config.model import Settings

APP: dict[str, Any] = {"id": "chat", "key": "chat-key", "secret": "TOPSECRET"}


def text_of(
    document: dict[str, Any] | None = None,
    *,
    apps: list[dict[str, Any]] | None = None,
    listening: ListeningAddress | None = None,
    open_files: OpenFiles | None = None,
    warnings: list[str] | None = None,
    processes: tuple[int, ...] = (),
) -> str:
    values = {"app_manager": {"array": {"apps": [APP] if apps is None else apps}}, **(document or {})}
    return text_for(
        Settings.model_validate(values),
        listening=listening,
        open_files=open_files,
        warnings=warnings,
        processes=processes,
    )


def text_for(
    settings: Settings,
    *,
    listening: ListeningAddress | None = None,
    open_files: OpenFiles | None = None,
    warnings: list[str] | None = None,
    processes: tuple[int, ...] = (),
) -> str:
    return banner(
        settings,
        listening or ListeningAddress("127.0.0.1", 6001),
        open_files or OpenFiles(1024, 4096),
        warnings or [],
        processes,
    ).plain


def test_it_says_where_the_server_listens() -> None:
    text = text_of({"path_prefix": "/live"}, listening=ListeningAddress("10.0.0.1", 7001))

    assert "ws://10.0.0.1:7001/live/app/{key}" in text
    assert "http://10.0.0.1:7001/live/apps/{id}/events" in text


def test_it_says_how_many_workers_each_have_the_limit() -> None:
    assert "workers" not in text_of()

    text = text_of(processes=(12, 13))

    assert "  workers         2 (processes 12, 13)\n" in text
    assert "about 960 a worker (open files" in text


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "0.0.0.0"), ("::", "IPv4 and IPv6"), ("", "")])
def test_a_server_on_all_interfaces_is_shown_as_localhost(host: str, shown: str) -> None:
    text = text_of(listening=ListeningAddress(host, 6001))

    assert f"ws://localhost:6001/app/{{key}}  (all interfaces, {shown})" in text


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert "ws://[::1]:6001/app/{key}" in text_of(listening=ListeningAddress("::1", 6001))


def test_it_lists_apps_without_their_secrets() -> None:
    text = text_of(
        apps=[
            APP,
            {**APP, "id": "b", "key": "kb", "enabled": False, "enable_client_messages": True, "max_connections": 5},
            {**APP, "id": "c", "key": "kc", "enable_client_messages": True, "max_client_events_per_second": 7},
        ]
    )

    assert "chat            key chat-key\n" in text
    assert "b               key kb, disabled, client events, up to 5 connections\n" in text
    assert "c               key kc, client events up to 7/s\n" in text
    assert "TOPSECRET" not in text


def test_many_apps_are_cut_short() -> None:
    text = text_of(apps=[{**APP, "id": f"app{n}", "key": f"key{n}"} for n in range(13)])

    assert "app9 " in text
    assert "app10" not in text
    assert "and 3 more" in text


def test_the_demo_app_is_marked_and_shows_its_secret() -> None:
    text = text_for(Settings().with_demo_app())

    assert "1               key app-key, client events, DEMO" in text
    assert 'pusher.Pusher(app_id="1", key="app-key", secret="app-secret"' in text


def test_it_says_that_there_is_no_app() -> None:
    text = text_of(apps=[])

    assert "Apps\n  none            no client can connect\n" in text
    assert "DEMO" not in text
    assert "app-secret" not in text


def test_it_says_which_limits_apply() -> None:
    text = text_of({"rate_limiter": {"enabled": True}, "presence": {"max_members_per_channel": 7}})

    for part in (
        "64 KB from a client, 1024 KB waiting for one",
        "100 KB each, 100 channels, 10 a batch",
        "channels 200 characters, events 200 characters",
        "10 MB",
        "7 members a channel, 2 KB each",
        "100 in 60 s requests, 20 in 60 s connections",
    ):
        assert part in text
    assert "rate limits     off" in text_of()


@pytest.mark.parametrize(
    ("open_files", "line"),
    [
        (OpenFiles(1024, 4096), "about 960 (open files: 1024, at most 4096; more with ulimit -n)"),
        (OpenFiles(4096, 4096), "about 4032 (open files: 4096, at most 4096)"),
        (OpenFiles(1024, None), "about 960 (open files: 1024, at most unlimited; more with ulimit -n)"),
        (OpenFiles(32, 32), "about 16 (open files: 32, at most 32)"),
        (OpenFiles(None, None), "no limit on open files"),
    ],
)
def test_it_says_how_many_connections_the_open_files_allow(open_files: OpenFiles, line: str) -> None:
    assert f"connections     {line}\n" in text_of(open_files=open_files)


def test_the_limits_on_open_files_come_from_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    current = OpenFiles.current()
    assert current.soft is None or current.soft > 0

    monkeypatch.setattr(banner_module, "resource", None)
    assert OpenFiles.current() == OpenFiles(None, None)


def test_it_says_what_to_try_next() -> None:
    text = text_of()

    assert "curl http://127.0.0.1:6001/up\n" in text
    assert 'new Pusher("chat-key", {wsHost: "127.0.0.1", wsPort: 6001, forceTLS: false' in text
    assert (
        'new (require("pusher"))({appId: "chat", key: "chat-key", secret: "...", host: "127.0.0.1", port: "6001", '
        "useTLS: false})" in text
    )


def test_it_publishes_in_python_where_the_library_allows_the_id() -> None:
    text = text_of(apps=[{**APP, "id": "17"}])

    assert 'pusher.Pusher(app_id="17", key="chat-key", secret="...", host="127.0.0.1", port=6001, ssl=False)' in text


def test_what_to_try_next_knows_the_path_prefix() -> None:
    text = text_of({"path_prefix": "/live"})

    assert "curl http://127.0.0.1:6001/live/up\n" in text
    assert 'wsPath: "/live"' in text
    assert ".trigger(" not in text


def test_without_an_enabled_app_only_the_health_check_is_offered() -> None:
    assert "new Pusher" not in text_of(apps=[{**APP, "enabled": False}])


def test_warnings_are_shown() -> None:
    assert "Warnings\n  ! careful\n" in text_of(warnings=["careful"])
    assert "Warnings" not in text_of()


def test_it_is_plain_and_unwrapped_without_a_terminal() -> None:
    stream = io.StringIO()
    text = banner(Settings(), ListeningAddress("0.0.0.0", 6001), OpenFiles(1024, 4096), ["x" * 300 + " [red]"])

    print_banner(text, stream)

    assert stream.getvalue().rstrip() == text.plain.rstrip()


def test_it_says_that_apps_come_from_a_database() -> None:
    text = text_of({"app_manager": {"driver": "sqlite", "array": {"apps": [APP]}}})

    assert "  database        all apps in it (sqlite: sockudo apps list)\n  chat  " in text
    assert "DEMO" not in text_of({"app_manager": {"driver": "sqlite"}})
    assert "in it" not in text_of()


def test_over_tls_every_address_and_example_says_so() -> None:
    text = text_of(apps=[{**APP, "id": "17"}], listening=ListeningAddress("127.0.0.1", 6001, has_tls=True))

    assert "wss://127.0.0.1:6001/app/{key}" in text
    assert "https://127.0.0.1:6001/apps/{id}/events" in text
    assert "curl https://127.0.0.1:6001/up" in text
    assert "wssPort: 6001, forceTLS: true" in text
    assert "port=6001, ssl=True" in text
    assert 'port: "6001", useTLS: true' in text_of(listening=ListeningAddress("127.0.0.1", 6001, has_tls=True))


def test_on_a_unix_socket_it_shows_the_path() -> None:
    text = text_of(listening=ListeningAddress("/run/s.sock", 0))

    assert "http+unix:///run/s.sock:/apps/{id}/events" in text
    assert "curl --unix-socket /run/s.sock http://localhost/up" in text
    assert "new Pusher" not in text
