"""The per-second limits of each app."""

from __future__ import annotations

import pytest

from tests.clients.client import ApiClient, PusherClient, http
from tests.servers.nodes import Serve
from tests.servers.server import app

pytestmark = pytest.mark.every_topology

EVENT = {"name": "e", "channel": "a", "data": "x"}


async def test_exactly_the_allowed_events_are_published_in_a_second(serve: Serve) -> None:
    async with serve(app(max_backend_events_per_second=3), speed=0.1) as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        api = ApiClient(server.port)
        answers = [await api.post("/events", EVENT) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        text = answers[-1].error(429)
        assert "3" in text
        assert "max_backend_events_per_second" in text
        assert answers[-1].headers["retry-after"] == "1"
        for _ in range(3):
            await client.expect("e")
        await client.expect_nothing()


async def test_each_event_of_an_all_or_nothing_batch_counts(serve: Serve) -> None:
    async with serve(app(max_backend_events_per_second=3), speed=0.1) as server, PusherClient(server.port) as client:
        await client.subscribe("a")
        api = ApiClient(server.port)
        assert (await api.post("/batch_events", {"batch": [EVENT] * 2})).status == 200
        (await api.post("/batch_events", {"batch": [EVENT] * 2})).error(429)
        assert (await api.post("/events", EVENT)).status == 200
        for _ in range(3):
            await client.expect("e")
        await client.expect_nothing()


async def test_an_event_to_many_channels_counts_once(serve: Serve) -> None:
    async with serve(app(max_backend_events_per_second=1)) as server:
        answer = await ApiClient(server.port).post("/events", {"name": "e", "channels": ["a", "b", "c"], "data": "x"})
        assert answer.status == 200


async def test_what_is_refused_for_another_reason_does_not_count(serve: Serve) -> None:
    async with serve(app(max_backend_events_per_second=1)) as server:
        (await ApiClient(server.port).post("/events", {"name": "e"})).error(400)
        (await ApiClient(server.port, secret="wrong").post("/events", EVENT)).error(401)
        assert (await ApiClient(server.port).post("/events", EVENT)).status == 200


async def test_after_a_second_events_are_taken_again(serve: Serve) -> None:
    async with serve(app(max_backend_events_per_second=1), speed=5) as server:
        api = ApiClient(server.port)
        statuses = [(await api.post("/events", EVENT)).status]
        # Taken, refused, and taken again, however long a request takes here.
        while 429 not in statuses or statuses[-1] == 429:
            statuses.append((await api.post("/events", EVENT)).status)
        assert set(statuses) == {200, 429}


async def test_reads_are_limited_on_every_reading_route_together(serve: Serve) -> None:
    async with serve(app(max_read_requests_per_second=3), speed=0.1) as server:
        api = ApiClient(server.port)
        paths = ["/channels", "/channels/a", "/channels/presence-a/users", "/channels/a/stats"]
        answers = [await api.get(path) for path in paths]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert "max_read_requests_per_second" in answers[-1].error(429)
        assert answers[-1].headers["retry-after"] == "1"
        # Publishing is another limit.
        assert (await api.post("/events", EVENT)).status == 200


async def test_the_limits_of_one_app_do_not_concern_another(serve_alone: Serve) -> None:
    other = app(id="other", key="other-key", secret="other-secret", max_read_requests_per_second=1)
    async with serve_alone(app(max_read_requests_per_second=1), other, speed=0.1) as server:
        assert (await ApiClient(server.port).get("/channels")).status == 200
        assert (await ApiClient(server.port, "other", "other-key", "other-secret").get("/channels")).status == 200
        (await ApiClient(server.port).get("/channels")).error(429)


async def test_probes_are_no_reads(serve: Serve) -> None:
    async with serve(app(max_read_requests_per_second=1)) as server:
        for _ in range(5):
            assert (await http(server.port, "GET", "/up/1")).status == 200


async def test_the_limits_are_those_of_all_nodes_together(serve: Serve) -> None:
    limited = app(max_backend_events_per_second=3, max_read_requests_per_second=2)
    async with serve(limited, speed=0.05) as server:
        first, last = ApiClient(server.own[0]), ApiClient(server.own[-1])
        assert (await first.post("/batch_events", {"batch": [EVENT] * 2})).status == 200
        assert (await first.get("/channels")).status == 200
        await server.settled()
        (await last.post("/batch_events", {"batch": [EVENT] * 2})).error(429)
        assert (await last.post("/events", EVENT)).status == 200
        assert (await last.get("/channels")).status == 200
        await server.settled()
        for api in (first, last):
            (await api.post("/events", EVENT)).error(429)
            (await api.get("/channels")).error(429)
