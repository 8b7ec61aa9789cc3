"""Settings of the original that this version does not support: using one is a problem or a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

from pydantic_core import InitErrorDetails

from sockudo.config.kinds.rules import rule_broken


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A value of a setting, in each of its spellings, that is refused."""

    path: str
    values: tuple[object, ...]

    def is_asked_for(self, document: Mapping[str, Any]) -> bool:
        """Whether a raw configuration asks for it."""
        value = _at(document, self.path)
        wanted = value.lower() if isinstance(value, str) else value
        # 1 is no flag, although it equals one.
        return any(type(wanted) is type(known) and wanted == known for known in self.values)

    @property
    def name(self) -> str:
        """The setting and its value, as the reference writes them."""
        value = self.values[0]
        return self.path if value is True else f"{self.path} {value}"


# Who adds a driver or a feature removes its line here.
UNSUPPORTED: Final = (
    Unsupported("ssl.enabled", (True,)),
    Unsupported("unix_socket.enabled", (True,)),
)


def unsupported(document: Any) -> Iterator[InitErrorDetails]:
    """Yield a problem for each thing that a raw configuration asks for in vain."""
    if not isinstance(document, Mapping):
        return
    for one in UNSUPPORTED:
        if one.is_asked_for(document):
            value = "true" if one.values[0] is True else f'"{one.values[0]}"'
            yield rule_broken(one.path.split("."), f"{value} is not supported by this version yet")


def _at(document: Mapping[str, Any], path: str) -> Any:
    """The value at a place, or None where there is none."""

    def inside(section: Any, name: str) -> Any:
        return section.get(name) if isinstance(section, Mapping) else None

    return reduce(inside, path.split("."), document)
