"""A node as probes see it, with whatever state a test wants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FakeGates:
    """The `Gates` of `server.health`; each text is a reason, or nothing."""

    is_draining: bool = False
    full_text: str = ""
    overload_text: str = ""
    isolation_text: str = ""

    def full(self) -> str:
        """Return why there is no room."""
        return self.full_text

    def overload(self) -> str:
        """Return why memory is short."""
        return self.overload_text

    def isolation(self) -> str:
        """Return why the bus is away."""
        return self.isolation_text
