"""Lists what a supervisor and its workers say to each other, and what tells a process which of them it is.

The supervisor starts the same command again with one more variable in its environment. They talk over a socket, in
lines: the worker says `ready`, or `failed` and why, or `refused` and why (its configuration cannot be used, so another
attempt would fail too); the supervisor says `retire` (a new worker takes over), `drain`
(the server stops) and `hurry`, and of the log `debug on`, `debug off` and `diagnose`. The end of the stream means that
the other one is gone, whatever has ended it.
"""

from __future__ import annotations

from typing import Final

WORKER_VARIABLE: Final = "_SOCKUDO_WORKER"
SUPERVISOR_VARIABLE: Final = "_SOCKUDO_SUPERVISOR"

READY: Final = b"ready"
FAILED: Final = b"failed"
REFUSED: Final = b"refused"
RETIRE: Final = b"retire"
DRAIN: Final = b"drain"
HURRY: Final = b"hurry"
DEBUG_ON: Final = b"debug on"
DEBUG_OFF: Final = b"debug off"
DIAGNOSE: Final = b"diagnose"

# A worker that is replaced serves for another moment who had connected before: a client that has sent nothing yet may
# be about to, and one that sends a request now must not find its connection closed.
LINGER: Final = 1.0
