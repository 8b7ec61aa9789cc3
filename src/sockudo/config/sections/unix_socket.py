"""`unix_socket`: settings for a unix socket in place of a port."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator
from pydantic_core import InitErrorDetails

from sockudo.config.kinds.rules import check_with_rules, rule_broken
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import AnyText, Check, Flag

_OCTAL: Final = re.compile(r"[0-7]{1,4}", re.ASCII)
_OWNER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?|:[A-Za-z0-9_][A-Za-z0-9._-]*")
_HIGHEST: Final = 0o777
_WRITABLE_BY_ALL: Final = 0o002


@dataclass(frozen=True, slots=True)
class FileMode(Check):
    """The permissions of a file as an octal string. A number is refused, because its base is not clear."""

    @property
    def expected(self) -> str:
        return 'an octal string between "0" and "777"'

    @property
    def type_name(self) -> str:
        return "octal string"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not _OCTAL.fullmatch(value) or int(value, 8) > _HIGHEST:
            raise self.refuse()
        return value


@dataclass(frozen=True, slots=True)
class FileOwner(Check):
    """A user, a group, or both, as `chown` takes them."""

    @property
    def expected(self) -> str:
        return '"user", "user:group", ":group" or null'

    @property
    def type_name(self) -> str:
        return "user:group, or null"

    def check(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str) or not _OWNER.fullmatch(value):
            raise self.refuse()
        return value


class UnixSocketSettings(Section):
    """A socket in the file system instead of a TCP port."""

    enabled: Annotated[Flag, env("UNIX_SOCKET_ENABLED")] = Field(
        default=False, description="Whether to listen on the socket, and not on host and port."
    )
    path: Annotated[AnyText, env("UNIX_SOCKET_PATH")] = Field(
        default="/var/run/sockudo/sockudo.sock", description="Path of the socket: absolute, without `..`."
    )
    permission_mode: Annotated[str, FileMode(), env("UNIX_SOCKET_PERMISSION_MODE")] = Field(
        default="660", description="Permissions of the socket."
    )
    owner: Annotated[str | None, FileOwner(), env("UNIX_SOCKET_OWNER")] = Field(
        default=None,
        description="Whose the socket is, as `user`, `user:group` or `:group`, by name or number; null leaves it to "
        "whoever runs the server. Not a setting of the original.",
    )

    @property
    def mode(self) -> int:
        """The permissions as a number."""
        return int(self.permission_mode, 8)

    @model_validator(mode="wrap")
    @classmethod
    def _has_a_path(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        is_used = isinstance(data, dict) and data.get("enabled") is True
        return check_with_rules(cls.__name__, data, handler, list(_wrong_path(data)) if is_used else [])

    def advice(self, mode: str, *, tls: bool) -> list[str]:
        """Warn of doubtful values; `mode` is the name of the environment, `tls` whether ssl is enabled."""
        if not self.enabled:
            return []
        found = []
        if self.mode & _WRITABLE_BY_ALL:
            found.append(f"unix_socket.permission_mode {self.permission_mode} lets every user of the machine in")
        if tls:
            found.append("ssl.enabled has no effect on unix_socket: a connection within one machine needs no TLS")
        if "/tmp/" in self.path and mode == "production":
            found.append("unix_socket.path is in /tmp, where other users may put a socket of the same name first")
        return found


def _wrong_path(section: dict[str, Any]) -> Iterator[InitErrorDetails]:
    path = section.get("path", UnixSocketSettings.model_fields["path"].default)
    if not isinstance(path, str):
        return
    if not path.startswith("/"):
        yield rule_broken(("path",), "must be an absolute path while unix_socket.enabled is true")
    if any(part in path for part in ("../", "..\\")):
        yield rule_broken(("path",), "must not lead upwards with ..")
