"""The error of a failed delivery; a module of its own, so that importing it loads no HTTP client."""

from __future__ import annotations


class PostError(Exception):
    """An endpoint did not accept a body. The text says why, without secrets."""
