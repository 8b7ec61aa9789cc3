"""What a node says of itself in a sign of life."""

from __future__ import annotations

import os
import socket

from sockudo import __version__
from sockudo.cluster.state import Heartbeat
from sockudo.hub.hub import Hub


def own_heartbeat(
    hub: Hub, *, number: int, hello: bool, sent_at: float, started_at: float, topics: int, lag: float
) -> Heartbeat:
    """Return a sign of life of this process; the arguments are as in `Heartbeat`."""
    return Heartbeat(
        number=number,
        hello=hello,
        sent_at=sent_at,
        host=socket.gethostname(),
        process=os.getpid(),
        version=__version__,
        started_at=started_at,
        connections=sum(hub.connection_count(app_id) for app_id in hub.app_ids()),
        channels=sum(len(hub.channels(app_id)) for app_id in hub.app_ids()),
        topics=topics,
        lag=lag,
    )
