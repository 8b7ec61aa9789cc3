"""Messages of former connections."""

from __future__ import annotations

import pytest

from sockudo.bus.broker.epochs import Epochs


def test_a_label_is_admitted_until_its_node_sends_a_newer() -> None:
    sender, heard = Epochs(), Epochs()
    sender.begin()
    first = sender.label
    assert heard.admits(first)
    assert heard.admits(first)
    sender.begin()
    assert heard.admits(sender.label)
    assert not heard.admits(first)
    assert heard.admits(sender.label)
    assert heard.stale == 1
    assert heard.current == {sender.label}


def test_nodes_do_not_disturb_each_other() -> None:
    one, other, heard = Epochs(), Epochs(), Epochs()
    one.begin()
    assert heard.admits(one.label)
    assert heard.admits(other.label)
    assert heard.admits(one.label)
    assert heard.current == {one.label, other.label}


@pytest.mark.parametrize("label", [b"", b"x", b"_INBOX.abc", b"a.-1", b"a." + b"9" * 5000])
def test_what_is_no_label_is_admitted_and_forgotten(label: bytes) -> None:
    heard = Epochs()
    assert heard.admits(label)
    assert heard.current == set()


def test_what_is_remembered_is_bounded() -> None:
    heard = Epochs()
    for node in range(10_100):
        assert heard.admits(b"%d.1" % node)
    assert len(heard.current) == 10_000


def test_a_label_that_is_too_long_is_not_remembered() -> None:
    epochs = Epochs()
    assert epochs.admits(b"x" * 1000 + b".1")
    assert epochs.current == set()
