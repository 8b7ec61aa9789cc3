"""Health probes and memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sockudo.node import memory
from tests.clients.attack import until
from tests.clients.client import ApiClient, PusherClient, http
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID, app, running_server
from tests.support.waiting import eventually


async def test_up_is_ok_while_there_are_apps(serve: Serve) -> None:
    async with serve() as server:
        answer = await http(server.port, "GET", "/up")
        assert (answer.status, answer.body) == (200, b"OK")
        assert answer.headers["x-health-check"] == "OK"
        assert answer.headers["content-type"].startswith("text/plain")


async def test_up_tells_if_an_app_exists_and_is_enabled(serve: Serve) -> None:
    async with serve(app(), app(id="off", key="off-key", enabled=False), app(id="a b", key="c")) as server:
        for app_id, status, word in ((APP_ID, 200, "OK"), ("a%20b", 200, "OK"), ("off", 503, "ERROR")):
            answer = await http(server.port, "GET", f"/up/{app_id}")
            assert (answer.status, answer.body.decode(), answer.headers["x-health-check"]) == (status, word, word)
        answer = await http(server.port, "GET", "/up/unknown")
        assert (answer.status, answer.body, answer.headers["x-health-check"]) == (404, b"NOT_FOUND", "NOT_FOUND")


async def test_up_says_why_while_memory_is_short(serve: Serve) -> None:
    async with serve(http_api={"accept_traffic": {"memory_threshold": 0.000001}}) as server:
        for path in ("/up", f"/up/{APP_ID}"):
            answer = await http(server.port, "GET", path)
            assert (answer.status, answer.headers["x-health-check"]) == (503, "ERROR")
            assert answer.body.startswith(b"ERROR: ")
            assert b"(http_api.accept_traffic.memory_threshold)" in answer.body
        assert (await PusherClient(server.port).expect_refusal())[0] == 4100
        (await ApiClient(server.port).post("/events", {"name": "n", "channel": "c", "data": "d"})).error(503)


async def test_a_container_full_of_cached_files_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    megabyte = 1024 * 1024
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{512 * megabyte}")
    (group / "memory.current").write_text(f"{500 * megabyte}")
    (group / "memory.stat").write_text(f"inactive_file {400 * megabyte}\n")
    monkeypatch.setattr(memory, "_ROOT", tmp_path)
    async with running_server(speed=10) as server:
        assert (await http(server.port, "GET", "/up")).body == b"OK"
        async with PusherClient(server.port):
            await ApiClient(server.port).trigger("channel", "data")
        assert (await http(server.port, "GET", "/usage")).json()["memory"]["used"] == 100 * megabyte
        with capture_logs() as lines:
            (group / "memory.stat").write_text(f"inactive_file {megabyte}\n")
            await until(lambda: len(lines) == 1)
            assert (await http(server.port, "GET", "/up")).status == 503
            assert (await PusherClient(server.port).expect_refusal())[0] == 4100
            (group / "memory.stat").write_text(f"inactive_file {400 * megabyte}\n")
            # Nobody comes, and the log says so all the same.
            await until(lambda: any(line["event"] == "memory gate open again" for line in lines))
            assert (await http(server.port, "GET", "/up")).body == b"OK"


async def test_usage_tells_of_memory_in_bytes_and_percent(serve: Serve) -> None:
    async with serve() as server:
        answer = await http(server.port, "GET", "/usage")
        assert answer.status == 200
        memory = answer.json()["memory"]
        assert memory.keys() == {"free", "used", "total", "percent"}
        assert memory["free"] == memory["total"] - memory["used"]
        # Bytes, not kilobytes, and not bytes a thousandfold.
        assert 2**26 < memory["total"] < 2**50
        assert 0 < memory["percent"] < 100
        assert abs(memory["percent"] - memory["used"] / memory["total"] * 100) < 0.01


async def test_a_trailing_slash_does_not_matter(serve: Serve) -> None:
    async with serve() as server:
        for path in ("/up/", f"/up/{APP_ID}/", "/usage/"):
            assert (await http(server.port, "GET", path)).status == 200


async def test_the_root_is_ok(serve: Serve) -> None:
    async with serve() as server:
        answer = await http(server.port, "GET", "/")
        assert (answer.status, answer.body) == (200, b"OK")
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/ready", "/accept-traffic"])
async def test_ready_is_ok_while_clients_are_welcome(serve: Serve, path: str) -> None:
    async with serve() as server:
        answer = await http(server.port, "GET", path)
        assert (answer.status, answer.body, answer.headers["x-health-check"]) == (200, b"OK", "OK")


@pytest.mark.parametrize("path", ["/ready", "/accept-traffic"])
async def test_ready_is_503_with_the_reason_while_memory_is_full(serve: Serve, path: str) -> None:
    async with serve(http_api={"accept_traffic": {"memory_threshold": 0.000001}}) as server:
        answer = await http(server.port, "GET", path)
        assert (answer.status, b"memory_threshold" in answer.body) == (503, True)
        assert answer.headers["x-health-check"] == "ERROR"
        assert (await http(server.port, "GET", "/live")).status == 200


async def test_live_is_200_without_a_body(serve: Serve) -> None:
    async with serve() as server:
        answer = await http(server.port, "GET", "/live")
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/live", "/ready", "/accept-traffic", "/up", "/usage"])
async def test_probes_answer_head_and_refuse_post(serve: Serve, path: str) -> None:
    async with serve() as server:
        answer = await http(server.port, "HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        assert (await http(server.port, "POST", path)).error(405)


async def test_a_full_process_is_not_ready_and_serves_on(serve_alone: Serve) -> None:
    """One process counts for itself; nodes and workers would take the second client each."""
    async with serve_alone(max_connections=1) as server:
        async with PusherClient(server.port) as client:
            code, text = await PusherClient(server.port).expect_refusal()
            assert (code, "max_connections" in text) == (4100, True)
            answer = await http(server.port, "GET", "/ready")
            assert (answer.status, answer.headers["x-health-check"]) == (503, "ERROR")
            assert b"the limit is 1 (max_connections)" in answer.body
            assert (await http(server.port, "GET", "/up")).body == b"OK"
            await client.subscribe("news")
            await ApiClient(server.port).trigger("news", "data")
            await client.expect("event")
        await eventually(lambda: ready_status(server.port), 200)


async def ready_status(port: int) -> int:
    """Return the status of the probe."""
    return (await http(port, "GET", "/ready")).status
