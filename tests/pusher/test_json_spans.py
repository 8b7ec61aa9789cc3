from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.pusher import json_spans
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.json_spans import WINDOW, Bound, JsonSpans, Walk
from tests.support.properties import THOROUGH, json_values


def walked(walk: Walk) -> tuple[int, int]:
    """Take all steps; return the position behind them, and how many they were."""
    steps = 0
    while True:
        try:
            next(walk)
        except StopIteration as stopped:
            return stopped.value, steps
        steps += 1


def bound(size: int) -> Bound:
    return Bound(size, lambda least: RequestRejected(413, str(least)))


LAYOUTS = [{}, {"indent": 2}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"separators": ("\r\n,  ", "\t: ")}]


@THOROUGH
@given(json_values, st.sampled_from(LAYOUTS))
def test_a_value_ends_where_a_decoder_ends_it(value: object, layout: dict[str, Any]) -> None:
    text = json.dumps(value, **layout).encode()
    for behind in (b"", b",1", b"]", b"}", b' ,"a"'):
        spans = JsonSpans(text + behind)
        assert walked(spans.value(0, bound(10_000)))[0] == len(text)
        assert json.loads(spans.taken) == value


@THOROUGH
@given(json_values, st.sampled_from(LAYOUTS))
def test_the_size_never_exceeds_that_of_the_compact_text(value: object, layout: dict[str, Any]) -> None:
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    text = json.dumps(value, **layout).encode()
    walked(JsonSpans(text).value(0, bound(len(compact))))


def test_an_oversized_value_is_refused_once_that_is_certain() -> None:
    for text in (b'"%b"' % (b"x" * 10_000_000), b"[%b1]" % (b"1," * 5_000_000), b"[%b" % (b"[1]," * 2_500_000)):
        walk = JsonSpans(text).value(0, bound(100))
        with pytest.raises(RequestRejected) as refused:
            walked(walk)
        assert refused.value.status == 413
        assert int(refused.value.message) <= 2 * WINDOW


@pytest.mark.parametrize(
    "text", [b" " * 10 * WINDOW, b'"%b"' % (b"\\n" * 5 * WINDOW), b"[%b1]" % (b"[1]," * 5 * WINDOW)]
)
def test_steps_are_short(text: bytes) -> None:
    spans = JsonSpans(text)
    walk = spans.blank(0) if text[0] == ord(" ") else spans.value(0)
    end, steps = walked(walk)
    assert end == len(text)
    assert steps >= len(text) // WINDOW - 1


@pytest.mark.parametrize("text", [b"", b"]", b",", b'"', b'"\\', b'"\\"', b"[", b"[1", b'{"a":', b'["\\'])
@pytest.mark.parametrize("window", [2, 64])
def test_what_has_no_end_is_refused(text: bytes, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_spans, "WINDOW", window)
    with pytest.raises(RequestRejected) as refused:
        walked(JsonSpans(text).value(0))
    assert refused.value.status == 400


def test_a_text_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(RequestRejected, match="nested too deeply"):
        walked(JsonSpans(b"[" * 5000).value(0))
