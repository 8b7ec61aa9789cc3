"""What is said of a message beside it: stale ones are not heard, and pieces become whole ones."""

from __future__ import annotations

from sockudo.bus.broker.labels import Labels


def test_a_whole_message_is_heard_at_once_and_remembered_current() -> None:
    sender, receiver = Labels(), Labels()
    sender.begin()
    assert receiver.take("t", sender.own, b"1") == b"1"
    assert sender.own in receiver.current


def test_pieces_are_heard_as_a_whole() -> None:
    sender, receiver = Labels(), Labels()
    sender.begin()
    heard = [receiver.take("t", label, piece) for label, piece in sender.split(b"abcdefg", 3)]
    assert heard == [None, None, b"abcdefg"]


def test_messages_of_former_epochs_are_not_heard_after_newer_ones() -> None:
    sender, receiver = Labels(), Labels()
    sender.begin()
    former, piece = sender.own, next(sender.split(b"ab", 1))
    sender.begin()
    assert receiver.take("t", sender.own, b"new") == b"new"
    assert receiver.take("t", former, b"old") is None
    assert receiver.take("t", *piece) is None


def test_pieces_from_before_and_after_a_loss_never_join() -> None:
    sender, receiver = Labels(), Labels()
    first, second = sender.split(b"ab", 1)
    assert receiver.take("t", *first) is None
    receiver.begin()
    assert receiver.take("t", *second) is None


def test_a_message_that_nobody_labelled_is_heard() -> None:
    assert Labels().take("t", b"", b"1") == b"1"
    assert Labels().take("t", b"anything", b"2") == b"2"
