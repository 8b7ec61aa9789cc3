"""Programs in Go: built from a folder of the tests, and kept outside of the checkout, for later runs too."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.setup.commands import SetupError, run, say
from tests.setup.maven import CACHE


@dataclass(frozen=True)
class GoProgram:
    """A program and the library that it is for, which tests can do without: proxies of modules do not all have it.

    Attributes:
        name: what people call the library, with its version.
        source: the folder of its module.
    """

    name: str
    source: Path

    @property
    def path(self) -> Path:
        """Where the program is."""
        return CACHE / self.name.lower().replace(" ", "-") / "program"

    def is_built(self) -> bool:
        """Tell whether it is there, and not older than what it is built from."""
        sources = [file.stat().st_mtime for file in self.source.iterdir()]
        return self.path.is_file() and self.path.stat().st_mtime >= max(sources)

    def install(self) -> None:
        """Build it where it is missing; where that cannot be done, it is said, and the tests with it are skipped."""
        if self.is_built():
            return
        go = shutil.which("go")
        if go is None:
            say(f"Go is missing: the tests with {self.name} are skipped")
            return
        say(f"building a program with {self.name}")
        try:
            run([go, "build", "-o", str(self.path), "."], self.source)
        except SetupError as problem:
            say(f"the tests with {self.name} are skipped: {problem}")


PUSHER_GO: Final = GoProgram("pusher-http-go 5.1.1", Path(__file__).parents[1] / "libraries" / "go")
