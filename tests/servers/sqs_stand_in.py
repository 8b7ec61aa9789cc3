"""The server of moto, made to give out messages as SQS does: `python -m tests.servers.sqs_stand_in -H HOST -p PORT`.

As it is, requests at the same time can get the same message or bring back a deleted one, a fetch that waits keeps the
server busy while a message of a busy group is there, messages of a group whose time is over come back in the wrong
order, and what is sent again after the first has been deleted counts as new.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import RLock
from typing import Any, Final

from moto.server import main
from moto.sqs.models import Queue, SQSBackend

_STEP: Final = 0.02
_lock: Final = RLock()
_receive: Final = SQSBackend.receive_message
_add: Final = Queue.add_message


def receive_message(
    self: Any, queue_name: str, count: int, wait_seconds_timeout: int, *rest: Any, **named: Any
) -> list[Any]:
    """Look again and again, after what is over has been let go."""
    deadline = time.monotonic() + (wait_seconds_timeout or 0)
    while True:
        with _lock:
            pending = self.get_queue(queue_name).pending_messages
            pending.difference_update([message for message in pending if message.visible])
            found: list[Any] = _receive(self, queue_name, count, 0, *rest, **named)
        if found or time.monotonic() >= deadline:
            return found
        time.sleep(_STEP)


def add_message(self: Any, message: Any) -> None:
    """Take one of each key, for as long as the server runs."""
    seen = self.__dict__.setdefault("keys_that_were_seen", set())
    if message.deduplication_id not in seen:
        _add(self, message)
    if message.deduplication_id is not None:
        seen.add(message.deduplication_id)


def one_at_a_time(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let no two requests change a queue at once."""

    def locked(*arguments: Any, **named: Any) -> Any:
        with _lock:
            return call(*arguments, **named)

    return locked


if __name__ == "__main__":
    setattr(SQSBackend, _receive.__name__, receive_message)
    setattr(Queue, _add.__name__, add_message)
    for name in ("send_message", "delete_message", "change_message_visibility"):
        setattr(SQSBackend, name, one_at_a_time(getattr(SQSBackend, name)))
    main(sys.argv[1:])
