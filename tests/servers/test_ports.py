from __future__ import annotations

import socket

from tests.servers.ports import free_port


def test_a_free_port_can_be_bound_and_is_given_once() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()
