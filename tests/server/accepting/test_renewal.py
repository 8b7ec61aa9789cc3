"""Renewed certificates: new handshakes get the new one, open sockets notice nothing, a bad one changes nothing."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockudo.config.sections.tls import SslSettings
from sockudo.server.accepting.renewal import LOOK_EVERY, Certificates
from tests.clients.attack import until
from tests.clients.doors import TlsClient, publish, streams, tls_settings, trusting
from tests.fakes.clock import FakeClock
from tests.servers.certificates import Certificate
from tests.servers.server import running_server
from tests.servers.workers import workers_process
from tests.support.log_lines import CapturedLog

Capture = pytest.CaptureFixture[str]
RENEWED, KEPT = "certificate renewed", "certificate not renewed: the old one stays in use"
# How many times as fast the clock of a server runs here.
SPEED = 50


def put(source: Path, target: Path) -> None:
    """Replace a file in one moment, as those who renew certificates do."""
    fresh = target.with_name(f"{target.name}.new")
    shutil.copyfile(source, fresh)
    fresh.rename(target)


@pytest.fixture
def live(tmp_path: Path, made: Certificate) -> Certificate:
    """The files that a server looks at."""
    certificate = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    replace(certificate, made)
    return certificate


def replace(live: Certificate, by: Certificate) -> None:
    put(by.cert, live.cert)
    put(by.key, live.key)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def certificates(live: Certificate, clock: FakeClock) -> Iterator[Certificates]:
    certificates = Certificates(SslSettings(cert_path=str(live.cert), key_path=str(live.key)), clock)
    certificates.load()
    yield certificates
    certificates.stop()


def fits(context: ssl.SSLContext, authority: Certificate) -> bool:
    """Tell whether a handshake shows the certificate of an authority, in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = trusting(authority).wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for side in (client, server) * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError:
            return False
    return True


async def test_files_are_looked_at_again_and_again(
    certificates: Certificates, clock: FakeClock, live: Certificate, other: Certificate
) -> None:
    certificates.start()
    for _ in range(3):
        clock.advance(LOOK_EVERY)
        await until(lambda: clock.timers == 1)
    replace(live, other)
    clock.advance(LOOK_EVERY)
    await until(lambda: fits(certificates.context, other))


async def test_nothing_is_loaded_while_the_files_stay(
    certificates: Certificates, live: Certificate, made: Certificate, capsys: Capture
) -> None:
    logged, before = CapturedLog(capsys), certificates.context
    await certificates.look()
    # The same again, as a new file.
    replace(live, made)
    await certificates.look()
    assert certificates.context is before
    assert logged.text == ""


async def test_a_certificate_that_comes_before_its_key_is_no_error(
    certificates: Certificates, live: Certificate, made: Certificate, other: Certificate, capsys: Capture
) -> None:
    logged = CapturedLog(capsys)
    put(other.cert, live.cert)
    await certificates.look()
    assert fits(certificates.context, made)
    put(other.key, live.key)
    await certificates.look()
    assert fits(certificates.context, other)
    assert [line["message"] for line in logged.lines()] == [RENEWED]


@pytest.mark.parametrize("bad", ["no PEM", "a key of another", "missing"])
async def test_the_log_tells_once_why_a_certificate_is_bad(
    certificates: Certificates, live: Certificate, made: Certificate, other: Certificate, capsys: Capture, bad: str
) -> None:
    logged = CapturedLog(capsys)
    if bad == "no PEM":
        live.cert.write_text("not a certificate\n")
    elif bad == "missing":
        live.key.unlink()
    else:
        put(other.key, live.key)
    for _ in range(5):
        await certificates.look()
    (line,) = logged.lines()
    assert (line["message"], line["level"]) == (KEPT, "error")
    assert line["reason"].startswith("ssl.cert_path: " if bad == "no PEM" else "ssl.key_path: ")
    assert fits(certificates.context, made)
    # What is good again is taken, or was never gone.
    replace(live, made)
    await certificates.look()
    replace(live, other)
    await certificates.look()
    assert fits(certificates.context, other)
    assert [line["message"] for line in logged.lines()] == [KEPT, RENEWED]


async def test_links_are_followed_to_renewed_files(
    tmp_path: Path, clock: FakeClock, made: Certificate, other: Certificate
) -> None:
    # As Kubernetes mounts a secret: names lead through one link to a folder, and that link is replaced.
    for name, source in (("1", made), ("2", other)):
        (tmp_path / name).mkdir()
        shutil.copyfile(source.cert, tmp_path / name / "tls.crt")
        shutil.copyfile(source.key, tmp_path / name / "tls.key")
    (tmp_path / "..data").symlink_to("1")
    for file in ("tls.crt", "tls.key"):
        (tmp_path / file).symlink_to(f"..data/{file}")
    section = SslSettings(cert_path=str(tmp_path / "tls.crt"), key_path=str(tmp_path / "tls.key"))
    certificates = Certificates(section, clock)
    certificates.load()
    (tmp_path / "..new").symlink_to("2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    await certificates.look()
    assert fits(certificates.context, other)


async def test_renewed_under_load_no_socket_is_dropped(
    live: Certificate, made: Certificate, other: Certificate
) -> None:
    old, new = trusting(made), trusting(other)
    async with running_server(speed=SPEED, ssl=tls_settings(live)) as server, asyncio.TaskGroup() as tasks:
        clients = [TlsClient(server.port, old) for _ in range(10)]
        for client in clients:
            await client.__aenter__()
            await client.subscribe("load")
        published, is_over = 0, asyncio.Event()

        async def keep_publishing() -> None:
            nonlocal published
            # Over one connection, which was opened with the old certificate.
            async with streams(server.port, old) as connection:
                while not is_over.is_set():
                    await publish(connection, "load", str(published))
                    published += 1

        publishing = tasks.create_task(keep_publishing())
        await until(lambda: published > 5)
        replace(live, other)
        await until_certificate(server.port, new)
        so_far = published
        await until(lambda: published > so_far + 5)
        is_over.set()
        await publishing
        for client in clients:
            assert [(await client.receive())["data"] for _ in range(published)] == [str(n) for n in range(published)]
            await client.__aexit__(None, None, None)


async def test_workers_take_a_renewed_certificate_too(
    tmp_path: Path, live: Certificate, made: Certificate, other: Certificate
) -> None:
    async with workers_process(tmp_path, "--workers", "2", ssl=tls_settings(live)) as server:
        await server.greeted()
        async with TlsClient(server.port, trusting(made)) as client:
            await client.subscribe("load")
            replace(live, other)
            lines = await server.logged(RENEWED, 2)
            assert {line["worker"] for line in lines} == {0, 1}
            for _ in range(6):
                async with streams(server.port, trusting(other)):
                    pass
            await client.expect_nothing()


async def until_certificate(port: int, context: ssl.SSLContext) -> None:
    """Wait until new handshakes show another certificate."""
    async with asyncio.timeout(30):
        while True:
            try:
                async with streams(port, context):
                    return
            except ssl.SSLCertVerificationError:
                await asyncio.sleep(0.02)
