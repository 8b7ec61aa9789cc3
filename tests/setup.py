"""Set up what the tests need besides Python packages: npm packages, a browser, Redis.

`make test` runs this before the tests. It may be run again at any time: what is there already is left alone.

Whatever cannot be had is named, together with what to do about it. The tests that need it are skipped then, except
under CI (`CI=true`), where this ends with status 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

NODE_FOLDER: Final = Path(__file__).parent / "clients" / "node"
NODE_MAJOR: Final = 20

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_INSTALL_TIMEOUT: Final = 600


class SetupError(Exception):
    """Something is missing and cannot be installed; the text says what to do."""


def is_ci() -> bool:
    """Tell whether everything must be there."""
    return os.environ.get("CI") == "true"


def find_browser() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for name in _BROWSERS if (path := shutil.which(name))), None)


def has_node_packages() -> bool:
    """Tell whether the npm packages are installed as the lock file has them."""
    # npm writes this file last.
    installed = NODE_FOLDER / "node_modules" / ".package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= (NODE_FOLDER / "package-lock.json").stat().st_mtime


def install_node_packages() -> None:
    """Install the npm packages of the client tests.

    Raises:
        SetupError: Node or npm is missing or too old, or npm fails.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise SetupError(f"node and npm are missing: install Node.js {NODE_MAJOR} or later to run the client tests")
    version = _run([node, "--version"]).strip()
    if int(version.removeprefix("v").partition(".")[0]) < NODE_MAJOR:
        raise SetupError(f"Node.js {version} is too old for the client tests: install version {NODE_MAJOR} or later")
    if has_node_packages():
        return
    _say("installing npm packages of the client tests")
    _run([npm, "ci", "--loglevel=error"], folder=NODE_FOLDER)


def has_redis() -> bool:
    """Tell whether every program of Redis is installed that tests start."""
    return all(shutil.which(name) for name in ("redis-server", "redis-sentinel", "redis-cli"))


def install_browser() -> None:
    """Install Chromium through apt-get.

    Raises:
        SetupError: it is missing, and this is not root on a machine with apt-get, or apt-get fails.
    """
    if find_browser() is not None:
        return
    _install("Chromium", "the browser tests", "chromium")
    if find_browser() is None:
        raise SetupError("apt-get installed a chromium package, but there is no chromium command")


def install_redis() -> None:
    """Install Redis through apt-get.

    Raises:
        SetupError: as for the browser.
    """
    if has_redis():
        return
    _install("Redis", "the tests of clusters", "redis-server", "redis-sentinel", "redis-tools")
    if not has_redis():
        raise SetupError("apt-get installed the packages of Redis, but not all of its commands are there")


def _install(what: str, needed_by: str, *packages: str) -> None:
    apt = shutil.which("apt-get")
    names = " ".join(packages)
    if apt is None or os.geteuid() != 0:
        raise SetupError(f"{what} is missing: install it (`apt-get install {names}`) to run {needed_by}")
    _say(f"installing {names} with apt-get")
    # The packages of servers start one, unless they are told not to.
    environ = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    _run([apt, "update", "--quiet"], environ=environ)
    _run([apt, "install", "--quiet", "--yes", "--no-install-recommends", *packages], environ=environ)


def _run(command: Sequence[str], folder: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Run a command; its output is returned, or shown if it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | (environ or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"`{' '.join(command)}` took longer than {_INSTALL_TIMEOUT} s") from None
    if done.returncode:
        raise SetupError(f"`{' '.join(command)}` failed:\n{done.stdout.strip()}")
    return done.stdout


def _say(text: str) -> None:
    print(f"test set-up: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Install everything and return the exit status."""
    complete = True
    for install in (install_node_packages, install_browser, install_redis):
        try:
            install()
        except SetupError as problem:
            _say(str(problem))
            complete = False
    if complete:
        return 0
    if is_ci():
        _say("incomplete, and nothing may be skipped where CI=true")
        return 1
    _say("incomplete: the tests that need what is missing are skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
