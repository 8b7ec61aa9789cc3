"""Host names and addresses without port and login: for listening, and for databases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Annotated, Any, Final

from sockudo.config.kinds.addresses import Address

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


class HostError(ValueError):
    """A text is no host. The text of the error says why, after the word "it", and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Host(Address):
    """A host.

    Attributes:
        socket: whether it may be the path of a socket in the file system.
        port: whether a port may follow.
    """

    socket: bool = False
    port: bool = False

    @property
    def expected(self) -> str:
        return "the name or address of a host, without a scheme or a login"

    @property
    def type_name(self) -> str:
        return "host"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.refuse_unquoted()
        try:
            return self._host(value.strip())
        except HostError as error:
            # A login may be a secret.
            may_quote = "@" not in value and "://" not in value
            raise (self.refuse if may_quote else self.refuse_unquoted)(str(error)) from None

    def _host(self, text: str) -> str:
        if "://" in text:
            raise HostError("has a scheme: write the host alone")
        if "@" in text:
            raise HostError("has a login: write the host alone")
        if text.startswith("/"):
            if self.socket and text.isprintable():
                return text
            raise HostError("is a path")
        if self.port:
            return _with_port(text)
        return _checked(text)


def _with_port(text: str) -> str:
    """Check a host with or without a port; an address of IPv6 has brackets where there is one."""
    host, colon, port = text.rpartition(":")
    if colon and (text.count(":") == 1 or host.endswith("]")):
        if not _PORT.fullmatch(port) or not 0 < int(port) <= 65535:
            raise HostError("has a port that is not a number from 1 to 65535")
        _checked(host)
    else:
        _checked(text)
    return text


def _checked(text: str) -> str:
    """Return a host without brackets."""
    if text.startswith("[") or text.count(":") > 1:
        return _ipv6(text)
    if ":" in text:
        raise HostError("has a port: write it into the setting port")
    if "/" in text:
        raise HostError("has a path: write the host alone")
    name = _ascii(text)
    if not _NAME.fullmatch(name):
        raise HostError("has a character that no host has")
    if name.rpartition(".")[2].isdigit() and not _is_ipv4(name):
        raise HostError("is no address of IPv4")
    return text


def _ipv6(text: str) -> str:
    bracketed = text.startswith("[")
    bare = text[1:].partition("]")[0] if bracketed else text
    if bracketed and text != f"[{bare}]":
        raise HostError(
            "has a port: write it into the setting port" if "]:" in text else "has a bracket without its pair"
        )
    try:
        IPv6Address(bare)
    except ValueError:
        raise HostError("is no address of IPv6") from None
    return bare


def _is_ipv4(name: str) -> bool:
    """Whether a resolver takes a name of numbers for an address, also in a short form such as 127.1."""
    *first, last = name.split(".")
    if len(first) > 3 or not all(part.isdecimal() and len(part) < 11 for part in (*first, last)):
        return False
    return all(int(part) < 256 for part in first) and int(last) < 256 ** (4 - len(first))


def _ascii(name: str) -> str:
    """Return a name as it is asked for; what cannot be is an error of a codec later, which no driver expects."""
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        raise HostError("is a name that no host can have") from None


HostName = Annotated[str, Host()]
DatabaseHost = Annotated[str, Host(socket=True)]
HostAndPort = Annotated[str, Host(port=True)]
