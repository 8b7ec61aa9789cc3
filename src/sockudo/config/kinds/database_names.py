"""Names of tables and keyspaces: only plain names pass, because they become part of statements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from sockudo.config.kinds.values import Check


@dataclass(frozen=True, slots=True)
class DatabaseName(Check):
    """A name that a kind of database takes."""

    pattern: str
    meaning: str

    @property
    def expected(self) -> str:
        return f"a name of {self.meaning}"

    @property
    def type_name(self) -> str:
        return f"name: {self.meaning}"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value, re.ASCII):
            raise self.refuse()
        return value


SqlName = Annotated[
    str, DatabaseName(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}", "up to 63 letters, digits and _$-, no digit first")
]
CqlName = Annotated[str, DatabaseName(r"[A-Za-z][A-Za-z0-9_]{0,47}", "up to 48 letters, digits and _, a letter first")]
# A class may be named with its package.
CqlClass = Annotated[str, DatabaseName(r"[A-Za-z][A-Za-z0-9_.]{0,199}", "letters, digits and _., a letter first")]
DynamoDbName = Annotated[str, DatabaseName(r"[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits and _.-")]
