"""A path prefix: everything is below it, and both ways to sign are taken."""

from __future__ import annotations

import pytest

from tests.clients.client import ApiClient, PusherClient, http
from tests.servers.nodes import Serve
from tests.servers.server import APP_ID, KEY

PREFIX = "/sockudo_api"


@pytest.mark.parametrize("prefix", ["/sockudo_api", "sockudo_api", "/sockudo_api/"])
async def test_the_slashes_around_it_do_not_matter(serve: Serve, prefix: str) -> None:
    async with serve(path_prefix=prefix) as server:
        assert (await ApiClient(server.port, prefix=PREFIX).get("/channels")).status == 200


@pytest.mark.parametrize("signed_prefix", [PREFIX, ""])
async def test_a_path_may_be_signed_with_it_and_without(serve: Serve, signed_prefix: str) -> None:
    async with serve(path_prefix=PREFIX) as server, PusherClient(server.port, prefix=PREFIX) as client:
        await client.subscribe("news")
        body = b'{"name":"e","channel":"news","data":"x"}'
        api = ApiClient(server.port)
        query = api.query("POST", f"{signed_prefix}/apps/{APP_ID}/events", body)
        assert (await http(server.port, "POST", f"{PREFIX}/apps/{APP_ID}/events?{query}", body)).status == 200
        await client.expect("e")


async def test_a_path_signed_with_another_prefix_is_401(serve: Serve) -> None:
    async with serve(path_prefix=PREFIX) as server:
        query = ApiClient(server.port).query("GET", f"/other/apps/{APP_ID}/channels", b"")
        (await http(server.port, "GET", f"{PREFIX}/apps/{APP_ID}/channels?{query}")).error(401)


async def test_nothing_but_probes_is_served_without_it(serve: Serve) -> None:
    async with serve(path_prefix=PREFIX) as server:
        for path in (f"/apps/{APP_ID}/channels", f"/app/{KEY}", "/sockudo_apix/up", "/upload"):
            assert "path_prefix" in (await http(server.port, "GET", path)).error(404)
        for path in ("/", "/live", "/ready", "/accept-traffic", "/up", f"/up/{APP_ID}", "/usage"):
            for below in (path, PREFIX + path):
                assert (await http(server.port, "GET", below)).status == 200
        assert (await http(server.port, "GET", PREFIX)).body == b"OK"


async def test_a_websocket_is_below_it_too(serve: Serve) -> None:
    async with serve(path_prefix=PREFIX) as server:
        async with PusherClient(server.port, prefix=PREFIX) as client:
            await client.expect_nothing()
        with pytest.raises(Exception, match="404"):
            await PusherClient(server.port).expect_refusal()


async def test_terminating_without_the_app_works_below_it(serve: Serve) -> None:
    async with serve(path_prefix=PREFIX) as server:
        answer = await ApiClient(server.port).request("POST", f"{PREFIX}/users/ann/terminate_connections")
        assert answer.status == 200
