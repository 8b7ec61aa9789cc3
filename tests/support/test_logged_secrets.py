"""The check that no secret is logged finds what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockudo import log
from tests.servers.server import document, server_process
from tests.support.logged_secrets import LOGGED, LoggedSecrets

CONFIGURATION = {
    "app_manager": {"array": {"apps": [{"id": "1", "key": "public-key", "secret": "hush-hush"}]}},
    "adapter": {"rabbitmq": {"url": "amqp://ann:broker-word@host/"}},
    "database": {"redis": {"password": "redis-word", "username": "redis-user"}},
}


def test_the_secrets_of_a_configuration_are_remembered_and_nothing_else() -> None:
    logged = LoggedSecrets()
    logged.use(CONFIGURATION)
    assert logged.secrets == {"hush-hush", "broker-word", "redis-word"}


def test_a_text_with_a_secret_is_found_once() -> None:
    logged = LoggedSecrets()
    logged.use(CONFIGURATION)
    logged.wrote("nothing")
    logged.wrote("it is redis-word")
    assert logged.found() == ["it is redis-word"]
    assert logged.found() == []


@pytest.mark.parametrize("level", ["debug", "error"])
def test_lines_of_this_process_are_looked_at_whatever_the_level(level: str) -> None:
    document({"secret": "of-this-process-alone"})
    getattr(log.get_logger("hub"), level)("said of-this-process-alone")
    assert len(LOGGED.found()) == 1


def test_a_value_that_the_log_masks_is_no_secret_told() -> None:
    document({"secret": "of-this-process-alone"})
    log.get_logger("hub").info("app", secret="of-this-process-alone", nested={"password": "of-this-process-alone"})
    assert LOGGED.found() == []


def test_the_traceback_of_a_failure_is_looked_at() -> None:
    document({"secret": "of-this-process-alone"})
    log.get_logger("hub").error("failed", exc_info=ValueError("of-this-process-alone"))
    assert len(LOGGED.found()) == 1


def test_what_a_server_process_writes_is_looked_at(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        server.stop()
    LOGGED.use({"secret": "server stopped"})
    try:
        assert len(LOGGED.found()) == 1
    finally:
        LOGGED.secrets.discard("server stopped")
