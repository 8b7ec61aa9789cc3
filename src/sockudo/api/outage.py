"""Refuses or admits requests while the store of rate limits is away (`rate_limiter.on_store_error`), and logs it."""

from __future__ import annotations

from typing import Final

from sockudo.log import get_logger
from sockudo.timing.clock import Clock

_log = get_logger("sockudo.api.throttle")

_SECONDS: Final = 60.0
# A store that answers again and again in between, because a part of it is away, is told of as one outage.
_QUIET: Final = 5.0


class Outage:
    """Refuses requests that cannot be counted, or admits them; says so when it begins, once a minute, and at the end.

    Args:
        is_open: whether they are admitted (`rate_limiter.on_store_error`).

    Attributes:
        is_on: whether a request could not be counted lately.
    """

    def __init__(self, clock: Clock, *, is_open: bool) -> None:
        self._clock = clock
        self._is_open = is_open
        self.is_on = False
        # Requests since the store was lost, and since the log was told last.
        self._all = self._new = 0
        self._told_at = self._failed_at = 0.0

    def admits(self, setting: str, reason: str) -> bool:
        """Note a request that could not be counted; return whether it is admitted all the same."""
        now = self._clock.monotonic()
        is_first = not self._all
        self.is_on = True
        self._all += 1
        self._new += 1
        self._failed_at = now
        # Not for each of the thousands that may come.
        if is_first or now - self._told_at >= _SECONDS:
            does = "admits what it cannot count" if self._is_open else "refuses what it limits"
            _log.warning(f"rate limiter unusable: the server {does}", limit=setting, requests=self._new, reason=reason)
            self._new, self._told_at = 0, now
        return self._is_open

    def answered(self, setting: str) -> None:
        """Note that the store has counted a request."""
        if self.is_on and self._clock.monotonic() - self._failed_at >= _QUIET:
            told = {"admitted" if self._is_open else "refused": self._all}
            _log.info("rate limiter usable again", limit=setting, **told)
            self._all = self._new = 0
            self.is_on = False
