"""The set-up says what is missing, lets nothing be missing under CI, and fetches what it can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup import maven
from tests.setup.apt import Programs
from tests.setup.commands import SetupError
from tests.setup.maven import Jars
from tests.support.source import ROOT


@pytest.mark.parametrize(("environ", "status"), [({}, 0), ({"CI": "true"}, 1)], ids=["at-home", "ci"])
def test_what_is_missing_is_named(environ: dict[str, str], status: int, tmp_path: Path) -> None:
    # On this path there is nothing: no node, no npm, no browser, and no apt-get to install one.
    done = subprocess.run(
        [sys.executable, "-m", "tests.setup"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "SOCKUDO_TEST_CACHE": str(tmp_path)} | environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "node and npm are missing: install Node.js" in done.stderr
    assert "Chromium is missing: install it" in done.stderr
    assert "Redis is missing: install it" in done.stderr
    assert "RabbitMQ is missing: install it (`apt-get install rabbitmq-server`)" in done.stderr
    assert "MariaDB is missing: install it" in done.stderr
    assert "Java with Maven is missing: install it" in done.stderr
    assert "Cassandra 5.0.2 is missing: install Java and Maven" in done.stderr
    assert "Kafka 4.1.0 is missing: install Java and Maven" in done.stderr
    assert "incomplete" in done.stderr


def program(folder: Path, name: str, lines: str) -> None:
    """Make a program that does what its lines say, and keeps the words that it was given in `NAME.said`."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/{name}.said\n{lines}\n')
    path.chmod(0o755)


def test_installed_programs_are_left_alone_and_apt_brings_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    program(tmp_path, "apt-get", f"[ $1 = update ] || cp {tmp_path}/apt-get {tmp_path}/made-up-server")
    server = Programs("Made up", "these tests", ("made-up",), (("other-name", "made-up-server"), ("sh",)))
    assert server.find()[0] is None
    server.install()
    assert server.find()[0] == f"{tmp_path}/made-up-server"
    server.install()
    said = (tmp_path / "apt-get.said").read_text().splitlines()
    assert said == ["update --quiet", "install --quiet --yes --no-install-recommends made-up"]
    with pytest.raises(SetupError, match="not all commands of Nothing are there"):
        Programs("Nothing", "these tests", ("made-up",), (("never-there",),)).install()


def test_jars_come_with_maven_once_and_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(maven, "CACHE", tmp_path / "cache")
    server = Jars("Made up 1.0", "these tests", ("org.example:server:1.0", "org.example:logs:2.0"))
    program(tmp_path, "mvn", "exit 1")
    with pytest.raises(SetupError, match="failed"):
        server.install()
    assert not server.is_complete()
    copies = 'cp "$4" {0}/project; mkdir "${{6#*=}}"; touch "${{6#*=}}/server.jar"'
    program(tmp_path, "mvn", copies.format(tmp_path))
    server.install()
    server.install()
    assert [path.name for path in server.folder.iterdir()] == ["server.jar"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["made-up-1.0"]
    assert len((tmp_path / "mvn.said").read_text().splitlines()) == 2
    project = (tmp_path / "project").read_text()
    assert "<artifactId>server</artifactId><version>1.0</version>" in project
    assert "<artifactId>logs</artifactId><version>2.0</version>" in project
