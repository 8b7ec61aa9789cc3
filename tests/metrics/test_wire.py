"""What workers tell each other, as bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.metrics.books import Known, Ledger
from sockudo.metrics.figures import Figures
from sockudo.metrics.wire import decoded, encoded
from tests.support.properties import QUICK
from tests.support.steps import finished

FIGURES = st.builds(
    Figures,
    st.dictionaries(
        st.text(max_size=2),
        # A family without samples is never there.
        st.dictionaries(
            st.text(max_size=2),
            st.floats(allow_nan=False) | st.lists(st.floats(allow_nan=False), max_size=3),
            min_size=1,
            max_size=2,
        ),
        max_size=2,
    ),
)
SERIALS = st.integers(0, 2**63 - 1)
BY_SERIAL = st.dictionaries(SERIALS, FIGURES, max_size=2)
LEDGERS = st.builds(Ledger, SERIALS, FIGURES, st.sets(SERIALS, max_size=3), BY_SERIAL)
KNOWN = st.builds(Known, st.none() | LEDGERS, BY_SERIAL, st.none() | FIGURES)


def message(known: Known) -> bytes:
    return b"".join(finished(encoded(known)))


@given(known=KNOWN)
@QUICK
def test_a_worker_hears_what_another_has_told(known: Known) -> None:
    assert finished(decoded(message(known))) == known


def test_more_samples_than_fit_in_a_piece_all_arrive() -> None:
    many = Figures({})
    for number in range(1001):
        many.set("connected", number, str(number))
    assert finished(decoded(message(Known(None, {}, many)))).figures == many


@given(known=KNOWN, data=st.data())
@QUICK
def test_a_message_that_breaks_off_is_an_error(known: Known, data: st.DataObject) -> None:
    whole = message(known)
    with pytest.raises(msgspec.MsgspecError):
        finished(decoded(whole[: data.draw(st.integers(0, len(whole) - 1))]))


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0\0", b"\0\0\0\1\xc0", b"\xff" * 9])
def test_other_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        finished(decoded(data))
