"""The failure of one delivery, apart from the client that posts, so that those who handle it do not import that."""

from __future__ import annotations


class PostError(Exception):
    """A body was not taken. The text says why, in words that may be shown."""
