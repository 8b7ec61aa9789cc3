"""Receives a large request body after its head has been accepted."""

from __future__ import annotations

import hashlib

from sockudo.api.messages import Accepted, RequestHead, Response
from sockudo.eventual import Eventual, Future
from sockudo.server.http.body_budget import BodyBudget


class Upload:
    """The head of a request, what its check has come to, and the memory that its body may take.

    Args:
        declared: length of the body, or 0 where it comes in chunks.

    Attributes:
        expects: the peer waits to be told to send the body.
        is_checked: whoever answers requests was asked for the head.
        is_complete: the request has its body.
        keep_alive: whether the socket stays open after the answer.
    """

    __slots__ = (
        "_accepted",
        "_budget",
        "_declared",
        "_digest",
        "_reserved",
        "_size",
        "expects",
        "is_checked",
        "is_complete",
        "keep_alive",
        "request",
    )

    def __init__(self, request: RequestHead, budget: BodyBudget, declared: int, *, expects: bool) -> None:
        self.request = request
        self.expects = expects
        self.is_checked = False
        self.is_complete = False
        self.keep_alive = False
        self._accepted: Accepted | None = None
        self._budget = budget
        self._declared = declared
        self._digest = hashlib.md5(usedforsecurity=False)
        self._reserved = 0
        self._size = 0

    @property
    def is_accepted(self) -> bool:
        """Whether the body may come."""
        return self._accepted is not None

    @property
    def limit(self) -> str:
        """The size of the budget, for errors."""
        return str(self._budget)

    def accept(self, accepted: Accepted) -> bool:
        """Let the body come; return whether there is memory for it."""
        self._accepted = accepted
        return self._reserve(max(self._declared, self._size))

    def grow(self, part: bytes) -> bool:
        """Note a part of the body; return whether there is memory for it."""
        self._digest.update(part)
        self._size += len(part)
        return self._accepted is None or self._reserve(self._size)

    def complete(self, body: bytes, *, keep_alive: bool) -> None:
        """Take the body as a whole."""
        self.request.body = body
        self.request.md5 = self._digest.hexdigest()
        self.is_complete = True
        self.keep_alive = keep_alive

    def finish(self) -> Eventual[Response]:
        """Return the answer to the whole request; with it, the memory is given back."""
        assert self._accepted is not None
        try:
            response = self._accepted.finish()
        except BaseException:
            self.release()
            raise
        if isinstance(response, Future):
            response.add_done_callback(lambda _: self.release())
        else:
            self.release()
        return response

    def release(self) -> None:
        """Give the memory back; safe to call again."""
        self._budget.give_back(self._reserved)
        self._reserved = 0

    def _reserve(self, size: int) -> bool:
        more = size - self._reserved
        if more > 0:
            if not self._budget.take(more):
                return False
            self._reserved = size
        return True
