from __future__ import annotations

import socket

from tests.servers.ports import free_port, own_ports


def test_a_free_port_can_be_bound_and_is_given_once() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_processes_of_one_run_have_ports_of_their_own() -> None:
    environs = [{"PYTEST_XDIST_WORKER": f"gw{number}", "PYTEST_XDIST_WORKER_COUNT": "3"} for number in range(3)]
    first, second, third = (set(own_ports(environ)) for environ in environs)
    assert first | second | third == set(own_ports({}))
    assert len(first) + len(second) + len(third) == len(own_ports({}))
