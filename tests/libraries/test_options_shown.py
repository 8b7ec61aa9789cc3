"""The tables of docs/clients.md: what it shows of a library works as shown, or the page says that nobody ran it."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.clients.client import ApiClient, PusherClient
from tests.servers.missing import missing
from tests.servers.server import ServerProcess, app, server_process
from tests.setup import golang, maven
from tests.setup.npm import NODE_FOLDER, has_node_packages
from tests.support.pages import section
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/clients.md"
SHOWN: Final = Path(__file__).parent / "shown"
ID, KEY, SECRET = "1", "shown-key", "shown-secret"
WAIT: Final = 60
# Library -> the program that uses it as it is shown.
CLIENTS: Final = {
    "pusher-js 8": "pusher-js.mjs",
    'laravel-echo 2, `broadcaster: "pusher"`': "echo-pusher.mjs",
    'laravel-echo 2, `broadcaster: "reverb"`': "echo-reverb.mjs",
    "pusher-java-client 2 (Java, Android)": "Subscribe.java",
    "Pysher (Python)": "pysher_client.py",
}
BACK_ENDS: Final = {
    "`pusher` (Node)": "pusher-node.mjs",
    "`pusher` (Python)": "pusher_publish.py",
    "pusher-http-java": "Publish.java",
    "pusher-http-go": "publish.go",
}
NOT_BY_A_TEST: Final = ("by hand", "no")


def rows(heading: str) -> Iterator[tuple[str, str, str]]:
    """Yield library, options and how they were run."""
    for line in section(PAGE, heading).splitlines():
        if line.startswith("| ") and not line.startswith(("| ---", "| Library")):
            library, options, run = line.strip("| ").split(" | ")
            yield library, options, run


@pytest.mark.parametrize(("heading", "programs"), [("## In clients", CLIENTS), ("## In back ends", BACK_ENDS)])
def test_every_row_says_truly_how_it_was_run(heading: str, programs: Mapping[str, str]) -> None:
    shown = list(rows(heading))
    assert {library for library, _, run in shown if run not in NOT_BY_A_TEST} == set(programs)
    for library, options, run in shown:
        assert run in NOT_BY_A_TEST or run.startswith("by a test")
        if library in programs:
            program = (SHOWN / programs[library]).read_text(encoding="utf-8")
            for code in re.findall(r"`([^`]+)`", options):
                assert code in program, (library, code)


@pytest.fixture(scope="module")
def shown_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run a server for the programs; its port takes the place of the one shown."""
    with server_process(tmp_path_factory.mktemp("shown"), app(id=ID, key=KEY, secret=SECRET)) as process:
        yield process


@pytest.mark.parametrize("program", CLIENTS.values(), ids=str)
async def test_a_client_with_the_options_shown_hears_an_event(
    program: str, shown_server: ServerProcess, tmp_path: Path
) -> None:
    process = await started(program, shown_server.port, tmp_path)
    try:
        async with asyncio.timeout(WAIT):
            await prints(process, "subscribed")
            await ApiClient(shown_server.port, ID, KEY, SECRET).trigger("shown", "hello")
            await prints(process, "hello")
    finally:
        await ended(process)


@pytest.mark.parametrize("program", BACK_ENDS.values(), ids=str)
async def test_a_back_end_with_the_options_shown_publishes(
    program: str, shown_server: ServerProcess, tmp_path: Path
) -> None:
    async with PusherClient(shown_server.port, KEY, SECRET) as client:
        await client.subscribe("shown")
        process = await started(program, shown_server.port, tmp_path)
        try:
            output, _ = await asyncio.wait_for(process.communicate(), WAIT)
            assert process.returncode == 0, output
        finally:
            await ended(process)
        assert (await client.expect("event"))["data"] in ("hello", '"hello"')


async def started(program: str, port: int, folder: Path) -> asyncio.subprocess.Process:
    """Start a program, with the address and the credentials of this server in the places of those shown."""
    text = (SHOWN / program).read_text(encoding="utf-8")
    for shown, ours in {"ID": ID, "KEY": KEY, "SECRET": SECRET}.items():
        text = re.sub(rf"""(["'])(?:THE )?{shown}\1""", rf"\g<1>{ours}\1", text)
    file = folder / program
    file.write_text(text.replace("6001", str(port)).replace("localhost", "127.0.0.1"), encoding="utf-8")
    return await asyncio.create_subprocess_exec(
        *command(file),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def prints(process: asyncio.subprocess.Process, expected: str) -> None:
    """Read what a program prints, until it is this; libraries may warn of something before."""
    assert process.stdout is not None
    seen = []
    async for line in process.stdout:
        seen.append(line.decode().strip().strip('"'))
        if seen[-1] == expected:
            return
    raise AssertionError("\n".join(seen))


async def ended(process: asyncio.subprocess.Process) -> None:
    """See to it that a program is gone."""
    if process.returncode is None:
        process.kill()
    await process.wait()


def command(file: Path) -> list[str]:
    """Return what runs a program; where that is missing, the test is skipped."""
    match file.suffix:
        case ".py":
            return [sys.executable, str(file)]
        case ".mjs":
            node = shutil.which("node")
            if node is None or not has_node_packages():
                missing("Node.js or the npm packages are missing: run `python -m tests.setup`")
            (file.parent / "node_modules").symlink_to(NODE_FOLDER / "node_modules")
            return [node, str(file)]
        case ".java":
            java = shutil.which("java")
            jars = maven.PUSHER_JAVA_CLIENT if file.stem == "Subscribe" else maven.PUSHER_JAVA
            if java is None or not jars.is_complete():
                missing(f"Java or {jars.name} is missing: run `python -m tests.setup`")
            return [java, "-cp", f"{jars.folder}/*", str(file)]
        case _:
            go, module = shutil.which("go"), golang.PUSHER_GO
            if go is None or not module.is_built():
                # Not every module proxy has the library, so this is no failure anywhere.
                pytest.skip(f"a program with {module.name} could not be built")
            for name in ("go.mod", "go.sum"):
                shutil.copy(module.source / name, file.parent)
            return [go, "run", file.name]
