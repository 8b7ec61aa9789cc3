"""Kinds of values from the web: methods, headers, origins, paths and URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sockudo.apps.origins import OriginError, normalise_origin
from sockudo.config.kinds.addresses import Address, without_login
from sockudo.config.kinds.values import Check

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)  # RFC 9110, 5.6.2
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*", re.ASCII)  # RFC 3986 path segments


@dataclass(frozen=True, slots=True)
class Token(Check):
    """A name as HTTP writes methods and header names."""

    what: str

    @property
    def expected(self) -> str:
        return f"the name of {self.what}"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise self.refuse()
        return value


@dataclass(frozen=True, slots=True)
class WebOrigin(Check):
    """An origin as browsers send it, or the word for all of them."""

    @property
    def expected(self) -> str:
        return '"*" or an origin such as "https://example.com"'

    @property
    def type_name(self) -> str:
        return "origin"

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.refuse()
        if value.strip().lower() in ("*", "any"):
            return "*"
        try:
            return normalise_origin(value)
        except OriginError as error:
            raise self.refuse(str(error)) from None


@dataclass(frozen=True, slots=True)
class PathPrefix(Check):
    """A path under which everything is served; kept as nothing, or with a leading slash and no trailing one."""

    @property
    def expected(self) -> str:
        return 'a path such as "/sockudo"'

    @property
    def type_name(self) -> str:
        return "path"

    def check(self, value: Any) -> str:
        if isinstance(value, str):
            trimmed = value.strip("/")
            prefix = f"/{trimmed}" if trimmed else ""
            if _PREFIX.fullmatch(prefix):
                return prefix
        raise self.refuse()


@dataclass(frozen=True, slots=True)
class WebUrl(Address):
    """An http or https URL. It may carry credentials, so it is never quoted; some carry them in their path."""

    secret_path: bool = False

    @property
    def expected(self) -> str:
        return "an http or https URL"

    def check(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not _is_web_url(value):
            raise self.refuse_unquoted()
        return value

    def shown(self, text: str) -> str:
        return without_login(text, path=not self.secret_path)


def _is_web_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port != 0
    except ValueError:
        return False
    printable = text.isascii() and all(" " < character < "\x7f" for character in text)
    return printable and port_is_valid and parts.scheme in ("http", "https") and bool(parts.hostname)
