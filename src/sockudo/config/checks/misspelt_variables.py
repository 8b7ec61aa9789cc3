"""Variables without a prefix of this server that nothing reads, and that are near to one that restricts something.

Other programs of a machine share the environment, so a name must be very near, or begin like those of limits. It is a
warning and never an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from sockudo.config.checks.restrictions import restricts, secures
from sockudo.config.checks.unread_variables import has_prefix, is_of_a_service

# How these begin says what they are for.
_LIMITS: Final = re.compile(r"(CHANNEL_LIMITS|CORS|EVENT_LIMITS|RATE_LIMIT(ER)?)_\w+", re.ASCII)
_DATABASES: Final = re.compile(r"(DATABASE_(MYSQL|POSTGRES|REDIS|SCYLLADB)|NATS)_\w+", re.ASCII)
_NEAR: Final = 0.88


def misspelt_variables(
    environ: Mapping[str, str], known: Iterable[str], paths: Iterable[str], mentioned: Collection[str]
) -> Iterator[str]:
    """Word a warning for each of them, without its value.

    Args:
        environ: all variables.
        known: those that something reads.
        paths: every setting that a file may have.
        mentioned: variables that a file puts into its texts.
    """
    read = frozenset(known)
    restricting = sorted(name for name in read if restricts(name) or _LIMITS.fullmatch(name))
    of_files = {path.upper().replace(".", "_"): path for path in paths if "." in path and restricts(path)}
    for name, text in sorted(environ.items()):
        if name in read or name in mentioned or not text.strip() or has_prefix(name) or is_of_a_service(name, text):
            continue
        shouted = name.upper()
        # To compare whole names is slow where a machine has thousands of variables.
        alike = [one for one in restricting if one[:2] == shouted[:2]]
        near = get_close_matches(shouted, alike, n=1, cutoff=_NEAR)
        if near:
            yield f"unknown variable {name} has no effect (did you mean {near[0]}?)"
        elif shouted in of_files:
            yield f"unknown variable {name} has no effect: set {of_files[shouted]} in a file"
        elif _LIMITS.fullmatch(shouted) or (_DATABASES.fullmatch(shouted) and secures(shouted)):
            yield f"unknown variable {name} has no effect"
