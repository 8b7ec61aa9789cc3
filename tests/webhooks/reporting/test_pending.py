from __future__ import annotations

from sockudo.webhooks.reporting.pending import Key, Pending, Transition


def key(number: int) -> Key:
    return "app", f"news-{number}", None


def change(at: float) -> Transition:
    return Transition(is_there=False, since=0.0, due=at, next_look=at)


def test_held_items_come_out_in_order_when_due() -> None:
    pending = Pending()
    for number in range(5):
        pending.hold(key(number), change(number))
    assert pending.next_look() == 0
    assert [found for found, _ in pending.take_released(2, 10)] == [key(0), key(1), key(2)]
    assert [found for found, _ in pending.take_released(9, 1)] == [key(3)]
    assert len(pending) == 1
    assert pending.next_look() == 4


def test_what_is_due_is_looked_at_in_turn() -> None:
    pending = Pending()
    for number in range(3):
        pending.put(key(number), change(1))
    assert pending.take_due(0.5, 10) == []
    taken = pending.take_due(1, 2)
    for found, one in taken:
        pending.put(found, one._replace(next_look=2))
    assert [found for found, _ in pending.take_due(1, 10)] == [key(2)]
    assert pending.next_look() == 2


def test_a_change_that_is_undone_is_gone_wherever_it_was() -> None:
    pending = Pending()
    pending.hold(key(1), change(1))
    pending.put(key(2), change(1))
    assert key(1) in pending
    assert key(2) in pending
    assert pending.discard(key(1))
    assert pending.discard(key(2))
    assert not pending.discard(key(2))
    assert pending.next_look() is None
    assert list(pending) == []


def test_released_items_come_before_the_due_ones() -> None:
    pending = Pending()
    pending.put(key(1), change(100))
    pending.hold(key(2), change(200))
    pending.release()
    assert [found for found, _ in pending.take_due(0, 10)] == [key(2), key(1)]


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    pending = Pending(limit=3)
    for number in range(5):
        (pending.hold if number % 2 else pending.put)(key(number), change(1))
    assert (len(pending), pending.dropped) == (3, 2)
    assert pending.take_one(key(0)) is not None
    assert pending.take_one(key(1)) is None, "it is held"
    pending.clear()
    assert len(pending) == 0
