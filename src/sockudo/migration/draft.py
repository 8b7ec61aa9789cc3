"""A configuration that an import writes, with remarks about the values that it left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# Nobody is here: names below it do not exist (RFC 2606).
NO_ORIGIN: Final = "https://origin.invalid"


class NoEqual(Exception):
    """A value of another server that has none here. The text says why, and quotes nothing that may be secret."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A key of the other server and what its owner should know: that it has no equal, or means something else here."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


@dataclass(slots=True)
class Draft:
    """What is written so far; `document` is the content of a configuration file."""

    document: dict[str, Any] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)

    def put(self, path: str, value: Any) -> None:
        """Set the setting at a dotted path."""
        section = self.document
        *parents, name = path.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
        section[name] = value

    def convert(self, key: str, value: Any, path: str, conversion: Callable[[Any], Any]) -> None:
        """Convert the value of a key and set it, or remark why that cannot be. An empty value was not set at all."""
        if value in (None, "", [], {}):
            return
        try:
            self.put(path, conversion(value))
        except NoEqual as reason:
            self.remark(key, str(reason))

    def read(self, key: str, value: Any, conversion: Callable[[Any], Any], default: Any) -> Any:
        """Return the converted value of a key, or remark why that cannot be and return the default."""
        try:
            return conversion(value)
        except NoEqual as reason:
            self.remark(key, str(reason))
            return default

    def read_each(self, key: str, values: Iterable[Any], conversion: Callable[[Any], Any]) -> list[Any]:
        """Return the converted entries of a list. An entry that cannot be converted is left out, with a remark."""
        found = []
        for index, value in enumerate(values):
            try:
                found.append(conversion(value))
            except NoEqual as reason:
                self.remark(f"{key}.{index}", f"{reason}; the entry is left out")
        return found

    def remark(self, key: str, text: str) -> None:
        """Add a remark about a key of the other server."""
        self.remarks.append(Remark(key, text))

    def rename(self, variables: Mapping[str, str]) -> None:
        """Let remarks name the variable that has set a key, or what the key is in."""
        self.remarks = [Remark(_variable_of(one.key, variables), one.text) for one in self.remarks]


def _variable_of(key: str, variables: Mapping[str, str]) -> str:
    for path, variable in variables.items():
        if key == path or key.startswith(f"{path}."):
            return f"{variable}{key.removeprefix(path)}"
    return key
