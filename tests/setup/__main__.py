"""Set up what the tests need besides Python packages: npm packages, a browser, servers.

`make test` runs this before the tests. It may be run again at any time: what is there already is left alone.

Whatever cannot be had is named, together with what to do about it. The tests that need it are skipped then, except
under CI (`CI=true`), where this ends with status 1.

Something new that the tests need is one more `Need`: programs in `apt.py`, a server in Java in `maven.py`. What not
every registry has, and tests can do without, says so and raises nothing (`golang.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from tests.setup import apt, golang, maven, npm
from tests.setup.commands import Need, SetupError, is_ci, say

NEEDS: Final[Sequence[Need]] = (
    npm.NODE_PACKAGES,
    apt.CHROMIUM,
    apt.REDIS,
    apt.RABBITMQ,
    apt.MARIADB,
    apt.POSTGRES,
    apt.JAVA,
    apt.PROXIES,
    apt.PROMETHEUS,
    apt.FAKETIME,
    apt.C_COMPILER,
    maven.KAFKA,
    maven.CASSANDRA,
    maven.PUSHER_JAVA,
    maven.PUSHER_JAVA_CLIENT,
    golang.PUSHER_GO,
)


def main() -> int:
    """Install everything and return the exit status."""
    complete = True
    for need in NEEDS:
        try:
            need.install()
        except SetupError as problem:
            say(str(problem))
            complete = False
    if complete:
        return 0
    if is_ci():
        say("incomplete, and nothing may be skipped where CI=true")
        return 1
    say("incomplete: the tests that need what is missing are skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
