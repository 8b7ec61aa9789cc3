from __future__ import annotations

from sockudo.hub.broadcast import Broadcast, Packed
from sockudo.hub.connection import Connection
from sockudo.hub.hub import Hub
from sockudo.hub.outbox import Flusher
from sockudo.pusher.members import Identity
from sockudo.websocket.frames import text_frame
from tests.fakes.clock import FakeClock
from tests.fakes.node import make_app
from tests.fakes.wire import RecordingWire

FRAME = text_frame(b'{"event":"a"}')


class Counted:
    """Puts a mark around a frame, and remembers for what."""

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.seen: list[bytes] = []

    def __call__(self, frame: bytes) -> bytes:
        self.seen.append(frame)
        return self.mark + frame + self.mark


def test_an_encoding_is_made_at_its_first_use_only() -> None:
    pack = Counted(b"*")
    encoding, broadcast = Packed(pack), Broadcast(FRAME)
    assert pack.seen == []
    assert broadcast.frame(encoding) == broadcast.frame(encoding) == b"*" + FRAME + b"*"
    assert pack.seen == [FRAME]


def test_an_encoding_builds_on_another_one() -> None:
    pack, outer = Counted(b"*"), Counted(b"+")
    inner = Packed(pack)
    broadcast, both = Broadcast(FRAME), Packed(outer, inner)
    assert broadcast.frame(both) == b"+*" + FRAME + b"*+"
    assert broadcast.frame(inner) == b"*" + FRAME + b"*"
    assert (pack.seen, outer.seen) == ([FRAME], [b"*" + FRAME + b"*"])


def test_all_connections_of_a_user_share_an_encoding() -> None:
    clock, pack = FakeClock(), Counted(b"")
    hub, encoding = Hub(Flusher(clock.call_soon)), Packed(pack)
    wires = [RecordingWire() for _ in range(4)]
    for number, wire in enumerate(wires):
        wire.encoding = encoding if number else None
        connection = Connection(f"1.{number}", make_app(), wire, hub.flusher, now=0, version=7)
        hub.add(connection)
        hub.sign_in(connection, Identity("u"))
    hub.deliver_to_user("1", "u", Broadcast(FRAME), "1.3")
    clock.run_soon()
    assert [wire.events for wire in wires] == [["a"], ["a"], ["a"], []]
    assert pack.seen == [FRAME]


def test_a_frame_for_one_connection_has_its_encoding() -> None:
    clock, pack, wire = FakeClock(), Counted(b""), RecordingWire()
    wire.encoding = Packed(pack)
    Connection("1.1", make_app(), wire, Flusher(clock.call_soon), now=0, version=7).send(FRAME)
    clock.run_soon()
    assert (wire.events, pack.seen) == (["a"], [FRAME])
