"""URLs of RabbitMQ servers, with the parameters that other clients know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlsplit

from sockudo.config.checks.restrictions import secures
from sockudo.config.kinds.addresses import Address, split_address, without_login, wrong_part

# Where no scheme follows, a comma is part of a password.
_SEPARATOR: Final = re.compile(r"\s*,\s*(?=amqps?://)")
_SCHEMES: Final = ("amqp", "amqps")
# Parameters that choose who is trusted, whatever else their names say.
_TRUST: Final = ("auth_mechanism", "cacertfile", "certfile", "fail_if_no_peer_cert", "keyfile", "password")
_HEARTBEAT: Final = re.compile("[0-9]{1,5}", re.ASCII)


class RabbitUrlError(ValueError):
    """A text is no URL of RabbitMQ. The text of the error says why, after the word "it", and quotes nothing secret."""


@dataclass(frozen=True, slots=True)
class RabbitUrl(Address):
    """URLs of RabbitMQ servers, with commas between them; only one alone may do without a scheme."""

    @property
    def expected(self) -> str:
        return "a URL such as amqp://user:password@host:5672/vhost, or several with commas between them"

    @property
    def type_name(self) -> str:
        return "RabbitMQ URL"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.refuse_unquoted()
        try:
            for url in _SEPARATOR.split(value):
                _check(url.strip())
            heartbeat(value)
        except RabbitUrlError as error:
            raise self.refuse_unquoted(str(error)) from None
        return value

    def shown(self, text: str) -> str:
        return ", ".join(map(without_login, _SEPARATOR.split(text)))


RabbitUrls = Annotated[str, RabbitUrl()]


def heartbeat(urls: str) -> int | None:
    """Return the seconds of `heartbeat` in the URLs, or None; 0 switches it off elsewhere and counts as none.

    Raises:
        RabbitUrlError: it is no number, or not the same for all servers.
    """
    found = {value for name, value in _parameters(urls) if name == "heartbeat"}
    if not all(_HEARTBEAT.fullmatch(value) for value in found):
        raise RabbitUrlError("has a heartbeat that is not a number of seconds")
    if len(found) > 1:
        raise RabbitUrlError("has more than one heartbeat: write the same for all servers")
    return int(found.pop()) or None if found else None


def unused_parameters(urls: str) -> list[str]:
    """Name the parameters that have no effect here."""
    unused = dict.fromkeys(name for name, _ in _parameters(urls) if name != "heartbeat")
    if ("heartbeat", "0") in _parameters(urls):
        unused["heartbeat=0"] = None
    return list(unused)


def _parameters(urls: str) -> list[tuple[str, str]]:
    return [pair for url in _SEPARATOR.split(urls) for pair in _parameters_of(url.strip())]


def _parameters_of(url: str) -> Iterator[tuple[str, str]]:
    try:
        query = urlsplit(url if "://" in url else f"amqp://{url}").query
    except ValueError:
        return
    yield from parse_qsl(query, keep_blank_values=True)


def _check(url: str) -> None:
    parts = split_address(url if "://" in url else f"amqp://{url}")
    if parts is None or parts.scheme not in _SCHEMES or not parts.hostname:
        raise RabbitUrlError(wrong_part(url, _SCHEMES, default="amqp"))
    if "," in parts.hostname:
        raise RabbitUrlError("has a comma in its host: begin each server with amqp:// or amqps://")
    vhost = parts.path.removeprefix("/")
    if "/" in vhost and vhost != "/":
        raise RabbitUrlError("has a slash in its virtual host: write it as %2f")
    trusting = [name for name, _ in parse_qsl(parts.query) if name in _TRUST or secures(name)]
    if trusting:
        raise RabbitUrlError(
            "has parameters about TLS or the login, which would have no effect: use tls_ca, tls_cert and tls_key of "
            "adapter.rabbitmq, and the login before the host"
        )
