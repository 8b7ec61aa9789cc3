"""Regular expressions from a configuration, matched in time that is linear in the text (RE2).

Python's own engine backtracks: one pattern of a webhook and one name of a channel could stop the server.
"""

from __future__ import annotations

from typing import Final

# The most bytes of a compiled pattern: with more, one match of a long name could stall the event loop.
_MOST_MEMORY: Final = 256 * 1024
_LONGEST: Final = 1000


class PatternError(ValueError):
    """A text is not a valid pattern. The error says why, after the word "it"."""


class Pattern:
    """A regular expression in the syntax of RE2: without look-around and back-references."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        """Compile a pattern.

        Raises:
            PatternError: it is not valid, or cannot be matched in linear time.
        """
        if len(text) > _LONGEST:
            raise PatternError(f"is longer than {_LONGEST} characters")
        # Imported here, because most servers have no pattern and need no memory for the engine.
        import re2

        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MOST_MEMORY
        # Callers ask only whether it matches, never where.
        options.never_capture = True
        try:
            self._compiled = re2.compile(text, options)
        except re2.error as error:
            raise PatternError(_reason(error)) from None
        except UnicodeEncodeError:
            raise PatternError("is no valid Unicode") from None
        self.text = text

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def is_in(self, text: str) -> bool:
        """Return whether the pattern matches anywhere in a text."""
        return self._compiled.search(text) is not None


def _reason(error: Exception) -> str:
    """Return why the engine refuses a pattern, in words for people who know other engines."""
    detail = error.args[0] if error.args else ""
    words = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
    if words.startswith("invalid perl operator: (?") and words[-1:] in ("=", "!", "<"):
        return "has a look-ahead or look-behind, which takes more than linear time"
    if words.startswith("invalid escape sequence: \\") and words[-1:].isdigit():
        return "has a back-reference, which takes more than linear time"
    if words.startswith("pattern too large"):
        return "is too large: repeat less"
    return f"cannot be used ({words})"
