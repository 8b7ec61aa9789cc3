from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.servers.ports import Reservations, free_port, own_ports
from tests.support.source import ROOT


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


def test_a_port_belongs_to_one_process_on_the_machine(tmp_path: Path) -> None:
    ours = Reservations(tmp_path / "ports")
    assert ours.reserve(20_000)
    code = "import sys, pathlib; from tests.servers.ports import Reservations\n"
    code += "theirs = Reservations(pathlib.Path(sys.argv[1])); print(theirs.reserve(20_000), theirs.reserve(20_001))"
    command = [sys.executable, "-c", code, str(tmp_path / "ports")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    assert ours.reserve(20_001), "given back when the process ended"
    ours.close()
