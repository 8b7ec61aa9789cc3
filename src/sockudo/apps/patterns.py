"""Regular expressions from a configuration, matched in time that is linear in the text (RE2).

Python's own engine tries again and again: one pattern of a webhook and one name of a channel could stop the server.
"""

from __future__ import annotations

from typing import Final

# Bytes for a compiled pattern: with more, one look at a long name could take longer than the event loop may be held.
_MOST_MEMORY: Final = 256 * 1024
_LONGEST: Final = 1000


class PatternError(ValueError):
    """A text is no pattern that can be used. The text of the error says why, after the word "it"."""


class Pattern:
    """A regular expression in the syntax of RE2: without look-around and back-references."""

    __slots__ = ("_compiled", "text")

    def __init__(self, text: str) -> None:
        """Compile a pattern.

        Raises:
            PatternError: it is none, or uses what cannot be matched in linear time.
        """
        if len(text) > _LONGEST:
            raise PatternError(f"is longer than {_LONGEST} characters")
        # Most servers have no pattern, and do without the memory of the engine.
        import re2

        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MOST_MEMORY
        # Only whether it matches is asked, never where.
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
        """Tell whether the pattern matches anywhere in a text."""
        return self._compiled.search(text) is not None


def _reason(error: Exception) -> str:
    """Say what the engine does not take, for people who know other engines."""
    detail = error.args[0] if error.args else ""
    words = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
    if words.startswith("invalid perl operator: (?") and words[-1:] in ("=", "!", "<"):
        return "has a look-ahead or look-behind, which takes more than linear time"
    if words.startswith("invalid escape sequence: \\") and words[-1:].isdigit():
        return "has a back-reference, which takes more than linear time"
    if words.startswith("pattern too large"):
        return "is too large: repeat less"
    return f"cannot be used ({words})"
