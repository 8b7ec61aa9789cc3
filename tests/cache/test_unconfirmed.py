from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from sockudo.cache.unconfirmed import Unconfirmed, Write


def write(value: bytes | None = b"v", *, failed: bool = False) -> Write:
    made = Write(value, inf)
    made.has_failed = failed
    return made


def test_the_newest_write_of_a_key_replaces_the_one_before() -> None:
    unconfirmed, older, newer = Unconfirmed(9, 99), write(failed=True), write(failed=True)
    assert [unconfirmed.put(b"k", older), unconfirmed.put(b"k", newer)] == [0, 0]
    assert list(unconfirmed.failed()) == [(b"k", newer)]
    assert (older.is_kept, older.made_room) == (False, False)


def test_a_late_confirmation_of_an_older_write_keeps_the_newer() -> None:
    unconfirmed, older, newer = Unconfirmed(9, 99), write(), write(failed=True)
    unconfirmed.put(b"k", older)
    unconfirmed.put(b"k", newer)
    unconfirmed.confirm(b"k", older)
    assert list(unconfirmed.failed()) == [(b"k", newer)]
    unconfirmed.confirm(b"k", newer)
    assert len(unconfirmed) == 0


def test_only_what_failed_waits() -> None:
    unconfirmed, failed = Unconfirmed(9, 99), write(failed=True)
    unconfirmed.put(b"on its way", write())
    unconfirmed.put(b"failed", failed)
    assert list(unconfirmed.failed()) == [(b"failed", failed)]


def test_the_oldest_makes_room_and_is_dropped_if_it_failed() -> None:
    unconfirmed, failed, running = Unconfirmed(2, 99), write(failed=True), write()
    assert [unconfirmed.put(name, one) for name, one in ((b"1", failed), (b"2", running), (b"3", write()))] == [0, 0, 1]
    assert failed.made_room
    # Its own write may still succeed.
    assert unconfirmed.put(b"4", write()) == 0
    assert (running.made_room, running.is_kept) == (True, False)


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c", b"dd"]), st.none() | st.binary(max_size=12))))
def test_there_are_never_more_writes_or_bytes_than_allowed(puts: list[tuple[bytes, bytes | None]]) -> None:
    unconfirmed = Unconfirmed(3, 20)
    latest: dict[bytes, bytes | None] = {}
    for name, value in puts:
        latest[name] = value
        unconfirmed.put(name, write(value, failed=True))
        kept = list(unconfirmed.failed())
        assert len(kept) <= 3
        assert sum(len(key) + one.size for key, one in kept) <= 20
        assert all(latest[key] == one.value for key, one in kept)
