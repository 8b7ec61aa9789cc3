"""The bus of the workers on the loop that the server uses; the other tests run on asyncio's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sockudo.bus.workers.adapter import IpcAdapter
from tests.contracts.adapter import AdapterContract
from tests.fakes.inbox import RecordingInbox

uvloop = pytest.importorskip("uvloop")


@pytest.mark.parametrize("name", [name for name in vars(AdapterContract) if name.startswith("test_")])
def test_the_contract_holds(name: str, socket_directory: Path) -> None:
    async def hold() -> None:
        nodes = [(IpcAdapter(socket_directory, index), RecordingInbox()) for index in range(3)]
        for adapter, inbox in nodes:
            await adapter.start(inbox)
        await getattr(AdapterContract(), name)(nodes)
        for adapter, _ in nodes:
            await adapter.aclose()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(hold())
