"""Publishes as docs/clients.md shows it."""

import pusher

ID, KEY, SECRET = "THE ID", "THE KEY", "THE SECRET"
pusher.Pusher(app_id=ID, key=KEY, secret=SECRET, host="localhost", port=6001, ssl=False).trigger(
    "shown", "event", "hello"
)
