"""The image: the rules of its Dockerfile, what it is built from, and its health check."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.servers.ports import free_port
from tests.servers.server import clean_environ, server_process
from tests.support.source import ROOT

DOCKERFILE: Final = ROOT / "ops" / "docker" / "Dockerfile"
HEALTHCHECK: Final = ROOT / "ops" / "docker" / "healthcheck.py"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with what follows them."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def final_stage() -> list[tuple[str, str]]:
    """Return the instructions of the image itself."""
    found = instructions()
    begin = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[begin:]


def test_the_dockerfile_passes_hadolint() -> None:
    command = [Path(sys.executable).with_name("hadolint"), DOCKERFILE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_a_user_without_rights() -> None:
    ((_, user),) = [one for one in final_stage() if one[0] == "USER"]
    # A number: Kubernetes cannot tell whether a name is root.
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)


def test_the_image_takes_only_what_was_built() -> None:
    names = [name for name, _ in final_stage()]
    assert "RUN" not in names, "nothing is installed into the final image"
    (base,) = [rest for name, rest in final_stage() if name == "FROM"]
    assert base.endswith("-slim-bookworm"), "the base has no compiler"


def test_the_image_has_the_versions_that_were_tested() -> None:
    (install,) = [rest for name, rest in instructions() if name == "RUN" and "--constraint constraints.txt" in rest]
    assert "--only-binary :all:" in install


def test_everything_that_is_copied_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            *sources, _ = shlex.split(rest)
            for source in sources:
                assert source in sent
                assert (ROOT / source).exists()


def test_the_commands_of_the_image_are_those_of_the_server() -> None:
    stage = dict(final_stage())
    assert stage["ENTRYPOINT"] == '["sockudo"]'
    assert stage["CMD"] == '["serve"]'


def ask(**environ: str) -> tuple[int, str]:
    """Run the health check as the image does."""
    done = subprocess.run(
        [sys.executable, "-I", HEALTHCHECK],
        env=clean_environ() | environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


def test_the_health_check_passes_while_the_server_lives(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        assert ask(PORT=str(server.port), http_proxy="http://127.0.0.1:9") == (0, "")
        status, said = ask(SOCKUDO_HEALTH_URL=f"http://127.0.0.1:{server.port}/up/nobody")
        assert (status, said) == (1, f"http://127.0.0.1:{server.port}/up/nobody answers 404: NOT_FOUND\n")


def test_the_health_check_fails_when_nobody_answers() -> None:
    status, said = ask(PORT=str(free_port()))
    assert status == 1
    assert "does not answer" in said


@pytest.mark.parametrize("port", ["6001", "9601"])
def test_the_image_names_its_ports(port: str) -> None:
    assert port in dict(final_stage())["EXPOSE"].split()
