"""Says on stderr why a server cannot start or go on, and with which status it ends; needs no library for that."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Final

from sockudo import log
from sockudo.errors import ConfigError, SockudoError

# Also the status of a wrong command line.
EXIT_CONFIGURATION: Final = 2
# What a service manager may try again, unlike a configuration that cannot be used.
EXIT_FAILED: Final = 1

_log = log.get_logger("sockudo")


def reporting(run: Callable[[], int]) -> int:
    """Run, or say why the server cannot start; the status does not depend on whether anybody can read that."""
    try:
        return run()
    except ConfigError as error:
        with _said_last():
            report_problems(error)
    except SockudoError as error:
        with _said_last():
            _say(f"The server cannot start: {error}")
    except OSError as error:
        _log.error("server failed", exc_info=error)
        with _said_last():
            _say(f"The server has failed: {error}")
        return EXIT_FAILED
    return EXIT_CONFIGURATION


def report_problems(error: ConfigError) -> None:
    """Print a headline and one line for each problem to stderr."""
    count = len(error.problems)
    _say(f"The configuration has {count} problem{'s' if count != 1 else ''}:")
    for problem in error.problems:
        _say(f"  {problem}")


@contextlib.contextmanager
def _said_last() -> Iterator[None]:
    """Let something be said behind the lines of the log, where stderr can be written."""
    log.flush()
    with contextlib.suppress(OSError):
        yield


def _say(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
