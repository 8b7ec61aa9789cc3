"""The error of a failed delivery; a module of its own, so that importing it loads no HTTP client."""

from __future__ import annotations


class PostError(Exception):
    """A body was not taken. The text says why, in words that may be shown."""
