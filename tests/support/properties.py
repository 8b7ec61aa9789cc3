"""What property tests share: settings, values, and exceptions as values.

The settings give the same examples in every run, and no failures because a machine is busy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

QUICK: Final = settings(max_examples=60, deadline=None, derandomize=True)
THOROUGH: Final = settings(max_examples=200, deadline=None, derandomize=True)

# Text that can be UTF-8: JSON may escape half a surrogate pair, which no frame can carry.
texts: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)

json_values: Final[st.SearchStrategy[object]] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

E = TypeVar("E", bound=Exception)


def refusal_by(kind: type[E], call: Callable[[], object]) -> E | None:
    """Return the exception of this kind that a call ends with, or None; any other exception is let through."""
    try:
        call()
    except kind as refused:
        return refused
    return None
