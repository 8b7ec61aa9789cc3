"""Subscribes as docs/clients.md shows it, says so, prints the first event, and ends."""

import os
import threading
from typing import Any

import pysher

KEY = "THE KEY"
client = pysher.Pusher(KEY, custom_host="localhost", port=6001, secure=False)
heard = threading.Event()


def subscribe(_: Any) -> None:
    channel = client.subscribe("shown")
    channel.bind("pusher_internal:subscription_succeeded", lambda _: print("subscribed", flush=True))
    channel.bind("event", show)


def show(data: str) -> None:
    print(data, flush=True)
    heard.set()


client.connection.bind("pusher:connection_established", subscribe)
client.connect()
heard.wait(20)
# The threads of the library would go on.
os._exit(0)
