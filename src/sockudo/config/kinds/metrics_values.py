"""Kinds of values of the metrics: the beginning of names, and the token of scrapers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from sockudo.config.kinds.values import Check

# What Prometheus takes as the beginning of a name, and RFC 6750, section 2.1, as a token.
_PREFIX: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?", re.ASCII)
_TOKEN: Final = re.compile(r"[-A-Za-z0-9._~+/]+=*", re.ASCII)


@dataclass(frozen=True, slots=True)
class NamePrefix(Check):
    """What the names of metrics begin with; may be empty."""

    @property
    def expected(self) -> str:
        return "a string of letters, digits, _ and : that begins with no digit"

    @property
    def type_name(self) -> str:
        return "string"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not _PREFIX.fullmatch(value):
            raise self.refuse()
        return value


@dataclass(frozen=True, slots=True)
class BearerToken(Check):
    """A secret that fits into the header `Authorization: Bearer`, or none."""

    @property
    def expected(self) -> str:
        return "a string of letters, digits and - . _ ~ + / without blanks, or null"

    @property
    def type_name(self) -> str:
        return "string or null"

    def check(self, value: Any) -> str | None:
        if value is not None and not (isinstance(value, str) and _TOKEN.fullmatch(value)):
            raise self.refuse_unquoted()
        return value
