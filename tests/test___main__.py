"""The command that is installed is the module that Python can run."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module

from sockudo import __main__, __version__
from tests.support.source import ROOT


def test_the_installed_command_is_the_module() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["sockudo"].partition(":")
    assert getattr(import_module(module), name) is __main__.main


def test_the_module_runs_the_command() -> None:
    command = [sys.executable, "-m", "sockudo", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"sockudo {__version__}\n"
