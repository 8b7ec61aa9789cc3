"""Looks into a reader of frames, for tests."""

from __future__ import annotations

from sockudo.websocket.frames import FrameReader


def is_idle(reader: FrameReader) -> bool:
    """Tell whether a reader holds nothing: the next byte begins a new message."""
    return reader._assembler is None
