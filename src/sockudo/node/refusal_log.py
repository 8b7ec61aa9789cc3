"""Logs refused clients and requests with the reason, at a bounded rate.

With debugging every refusal is a line. Otherwise the node logs only refusals after which a client never retries (40xx,
and 401 and 403 of the HTTP API), because users then see only that the client is missing: a few lines for each kind and
app, then a count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sockudo import log
from sockudo.timing.clock import Clock, Handle

_log = log.get_logger("sockudo.refusals")

WINDOW: Final = 10.0
"""Seconds in which lines are counted together."""

MOST_LINES: Final = 5
"""Lines of one kind and app in a window."""

MOST_KEYS: Final = 200
"""Kinds and apps that are counted apart in a window; the apps beyond are counted together."""

# What a peer has sent is cut; the text that was signed is needed whole, and the log cuts what is very long.
_LONGEST: Final = 120


class _Key(NamedTuple):
    """A kind of refusal and an app, which are counted together."""

    event: str
    code: int | None
    app: str | None


class RefusalLog:
    """Counts the refusals of one node and logs them.

    Attributes:
        totals: refusals since the start, by the code or status that the peer was told.
    """

    def __init__(self, clock: Clock) -> None:
        self.totals: dict[int, int] = {}
        self._clock = clock
        self._counts: dict[_Key, int] = {}
        self._timer: Handle | None = None

    def is_told(self, code: int | None) -> bool:
        """Tell whether a refusal with this code may be logged, so that its details are worth collecting."""
        return log.shows_debug() or (is_final(code) and log.shows_info())

    def count(self, code: int | None) -> None:
        """Count a refusal that is not worth a line."""
        if code is not None:
            self.totals[int(code)] = self.totals.get(int(code), 0) + 1

    def note(
        self,
        event: str,
        code: int | None,
        reason: str,
        *,
        app: str | None = None,
        signed_text: bytes = b"",
        **details: str | None,
    ) -> None:
        """Count one refusal, and log it where there is room for a line.

        Args:
            event: what is refused: "connection refused", say.
            code: the code or status that the peer is told.
            reason: the text that the peer is told.
            app: the id of an app that exists; never what a peer calls one.
            signed_text: what a refused signature should have signed.
        """
        self.count(code)
        if not self.is_told(code):
            return
        # An enum would be shown to people by its Python name.
        code = None if code is None else int(code)
        fields = _fields(code=code, reason=reason, app=app) | _cut(details)
        if log.shows_debug():
            if signed_text:
                fields["signed_text"] = signed_text
            tell = _log.info if is_final(code) else _log.debug
            tell(event, **fields)
        elif self._has_room(_Key(event, code, app)):
            _log.info(event, **fields)

    def note_dropped(self, event: str, *, app: str, socket_id: str) -> None:
        """Log that a client was dropped for what it does, or count it."""
        if log.shows_info() and self._has_room(_Key(event, None, app)):
            _log.info(event, app=app, socket_id=socket_id)

    def note_failed(self, event: str, **details: str | None) -> None:
        """Log that something failed that is no fault of the peer, or count it."""
        if self._has_room(_Key(event, None, None)):
            _log.warning(event, **_cut(details))

    def note_fault(self, event: str, error: Exception, **details: str | None) -> None:
        """Log a fault of the server with its traceback, or count it: a peer may cause the same one again and again."""
        if self._has_room(_Key(event, None, None)):
            _log.error(event, exc_info=error, **_cut(details))

    def close(self) -> None:
        """Tell what has been counted so far."""
        if self._timer is not None:
            self._timer.cancel()
            self._end_window()

    def _has_room(self, key: _Key) -> bool:
        """Count one; tell whether there is room for a line about it."""
        counts = self._counts
        if key not in counts and len(counts) >= MOST_KEYS:
            key = key._replace(app="other apps")
        count = counts[key] = counts.get(key, 0) + 1
        if self._timer is None:
            self._timer = self._clock.call_later(WINDOW, self._end_window)
        return count <= MOST_LINES

    def _end_window(self) -> None:
        counts, self._counts, self._timer = self._counts, {}, None
        for key, count in counts.items():
            if count > MOST_LINES:
                more = count - MOST_LINES
                fields = _fields(code=key.code, app=key.app)
                _log.info(f"{key.event}: and {more} more in the last {WINDOW:g} s", **fields)


def _fields(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _cut(details: Mapping[str, str | None]) -> dict[str, Any]:
    return {name: value[:_LONGEST] for name, value in details.items() if value}


def is_final(code: int | None) -> bool:
    """Tell whether a client that is refused with this code or status never comes back with the same request."""
    return code is not None and (4000 <= code < 4100 or code in (401, 403))
