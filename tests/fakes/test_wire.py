from __future__ import annotations

import pytest

from sockudo.websocket.frames import encode_frame, text_frame
from tests.fakes.wire import RecordingWire, text_payloads


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
def test_payloads_of_every_length_are_found_one_after_the_other(length: int) -> None:
    frames = text_frame(b"x" * length) + text_frame("é".encode()) + text_frame(b"")
    assert list(text_payloads(frames)) == ["x" * length, "é", ""]


@pytest.mark.parametrize("data", [encode_frame(9), text_frame(b"abc")[:-1], b"\x01\x00"])
def test_what_is_not_whole_text_frames_fails_the_test(data: bytes) -> None:
    with pytest.raises(AssertionError):
        list(text_payloads(data))


def test_everything_is_recorded_in_order() -> None:
    wire = RecordingWire()
    wire.write(text_frame(b'{"event":"a"}') + text_frame(b'{"event":"b","data":1}'))
    wire.ping()
    wire.write(text_frame(b'{"event":"c"}'))
    wire.close(4009, "gone")
    assert wire.events == ["a", "b", "c"]
    assert wire.frames[1] == {"event": "b", "data": 1}
    assert (wire.pings, wire.closed, len(wire.writes)) == (1, [(4009, "gone")], 2)
    assert wire.log == ["a", "b", "ping", "c", ("close", 4009)]


def test_what_was_taken_is_not_given_again() -> None:
    wire = RecordingWire()
    wire.write(text_frame(b'{"event":"a"}'))
    assert wire.take() == [{"event": "a"}]
    assert wire.take() == []
    assert wire.log == ["a"]
