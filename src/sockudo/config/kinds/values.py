"""Kinds of values for settings: what each accepts, and its words in errors.

Each kind is used as an annotation (`Annotated[int, Whole(1, 65535)]`). It runs before pydantic's own validation, so
that every refusal reads the same and numbers may be written as decimal strings. The error type says whether the text
may quote what was found: `expected` may, `unquoted` may not (it could be a secret), `rule` is a sentence by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

U32: Final = 2**32 - 1
_DIGITS: Final = re.compile(r"[0-9]{1,20}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?|\.[0-9]{1,20}", re.ASCII)


class Check:
    """Base of the kinds: run `check` on the raw value, then let pydantic look at the result."""

    __slots__ = ()

    @property
    def expected(self) -> str:
        """What a right value looks like, to stand after the word "expected"."""
        raise NotImplementedError

    @property
    def type_name(self) -> str:
        """What the reference calls this kind."""
        return self.expected.removeprefix("an ").removeprefix("a ")

    def check(self, value: Any) -> Any:
        """Return the value to keep, or raise `refuse()`."""
        raise NotImplementedError

    def refuse(self, why: str = "") -> PydanticCustomError:
        """Make the error whose text may quote the value; `why` completes a sentence that begins with "it"."""
        return PydanticCustomError("expected", "expected {what}", {"what": self.expected, "why": why})

    def refuse_unquoted(self, why: str = "") -> PydanticCustomError:
        """Make the error whose text must not quote the value, nor may `why`."""
        return PydanticCustomError("unquoted", "expected {what}", {"what": self.expected, "why": why})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))


@dataclass(frozen=True, slots=True)
class Whole(Check):
    """An integer, also as a decimal string; `null` only where a field may be left open."""

    low: int = 0
    high: int = U32
    null: bool = False
    null_means: int | None = None

    @property
    def expected(self) -> str:
        return f"an integer between {self.low} and {self.high}" + (" or null" if self.null else "")

    @property
    def type_name(self) -> str:
        bounds = f"{self.low} or more" if self.high == U32 else f"{self.low} to {self.high}"
        return f"integer, {bounds}" + (", or null" if self.null else "")

    def check(self, value: Any) -> int | None:
        if value is None and self.null:
            return self.null_means
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise self.refuse()
        return value


@dataclass(frozen=True, slots=True)
class WorkerCount(Check):
    """A number of processes, or "auto"."""

    high: int = 1024

    @property
    def expected(self) -> str:
        return f'an integer between 1 and {self.high} or "auto"'

    @property
    def type_name(self) -> str:
        return f'integer, 1 to {self.high}, or "auto"'

    def check(self, value: Any) -> int | str:
        if isinstance(value, str) and value.lower() == "auto":
            return "auto"
        try:
            number = Whole(1, self.high).check(value)
        except PydanticCustomError:
            raise self.refuse() from None
        assert number is not None
        return number


@dataclass(frozen=True, slots=True)
class Share(Check):
    """A number from 0 to 1, also as a decimal string."""

    @property
    def expected(self) -> str:
        return "a number between 0 and 1"

    def check(self, value: Any) -> float:
        if isinstance(value, str) and _DECIMAL.fullmatch(value):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self.refuse()
        return float(value)


@dataclass(frozen=True, slots=True)
class Truth(Check):
    """A boolean; with `null`, nothing means false."""

    null: bool = False

    @property
    def expected(self) -> str:
        return "true or false" + (" or null" if self.null else "")

    @property
    def type_name(self) -> str:
        return "boolean or null" if self.null else "boolean"

    def check(self, value: Any) -> bool:
        if value is None and self.null:
            return False
        if not isinstance(value, bool):
            raise self.refuse()
        return value


@dataclass(frozen=True, slots=True)
class Text(Check):
    """A string, not empty unless `empty` allows it. It may be a secret, so it is never quoted."""

    null: bool = False
    empty: bool = False

    @property
    def expected(self) -> str:
        return ("a string" if self.empty else "a non-empty string") + (" or null" if self.null else "")

    @property
    def type_name(self) -> str:
        return "string or null" if self.null else "string"

    def check(self, value: Any) -> str | None:
        if value is None and self.null:
            return None
        if not isinstance(value, str) or not (value.strip() or self.empty):
            raise self.refuse_unquoted()
        return value


@dataclass(frozen=True, slots=True)
class OneOf(Check):
    """One of a few names, in any case; `spellings` are pairs of another spelling and the name that it means."""

    names: tuple[str, ...]
    null: bool = False
    spellings: tuple[tuple[str, str], ...] = ()

    @property
    def expected(self) -> str:
        return self.type_name

    @property
    def type_name(self) -> str:
        choices = [f'"{name}"' for name in self.names] + ["null"] * self.null
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"

    def check(self, value: Any) -> str | None:
        if value is None and self.null:
            return None
        meant = {name.lower(): name for name in self.names} | dict(self.spellings)
        if not isinstance(value, str) or value.lower() not in meant:
            raise self.refuse()
        return meant[value.lower()]


@dataclass(frozen=True, slots=True)
class NullAsEmpty(Check):
    """A list (or an object) where nothing means an empty one."""

    empty: type = tuple

    @property
    def expected(self) -> str:
        return "a list or null" if self.empty is tuple else "an object or null"

    def check(self, value: Any) -> Any:
        return self.empty() if value is None else value


@dataclass(frozen=True, slots=True)
class NotEmpty(Check):
    """A list with at least one entry."""

    @property
    def expected(self) -> str:
        return "a list with at least one entry"

    def check(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)) and not value:
            raise self.refuse_unquoted()
        return value


# Named kinds that many settings share. Seconds and sizes of zero would switch a server off rather than configure it.
Count = Annotated[int, Whole()]
Positive = Annotated[int, Whole(1)]
OptionalCount = Annotated[int | None, Whole(null=True)]
Port = Annotated[int, Whole(1, 65535)]
Flag = Annotated[bool, Truth()]
OptionalFlag = Annotated[bool, Truth(null=True)]
Words = Annotated[str, Text()]
OptionalWords = Annotated[str | None, Text(null=True)]
AnyText = Annotated[str, Text(empty=True)]
