"""npm packages of the client tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tests.setup.commands import SetupError, run, say

NODE_FOLDER: Final = Path(__file__).parents[1] / "libraries" / "node"
NODE_MAJOR: Final = 20


class NodePackages:
    """The npm packages as the lock file has them."""

    def install(self) -> None:
        """Install them where they are missing.

        Raises:
            SetupError: Node or npm is missing or too old, or npm fails.
        """
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise SetupError(f"node and npm are missing: install Node.js {NODE_MAJOR} or later to run the client tests")
        version = run([node, "--version"]).strip()
        if int(version.removeprefix("v").partition(".")[0]) < NODE_MAJOR:
            raise SetupError(
                f"Node.js {version} is too old for the client tests: install version {NODE_MAJOR} or later"
            )
        if has_node_packages():
            return
        say("installing npm packages of the client tests")
        run([npm, "ci", "--loglevel=error"], folder=NODE_FOLDER)


def has_node_packages() -> bool:
    """Tell whether the npm packages are installed as the lock file has them."""
    # npm writes this file last.
    installed = NODE_FOLDER / "node_modules" / ".package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= (NODE_FOLDER / "package-lock.json").stat().st_mtime


NODE_PACKAGES: Final = NodePackages()
