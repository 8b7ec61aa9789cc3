from __future__ import annotations

import pytest

from tests.support.properties import refusal_by


def fail() -> None:
    raise KeyError("k")


def test_an_exception_of_the_kind_is_returned_others_pass() -> None:
    assert isinstance(refusal_by(LookupError, fail), KeyError)
    assert refusal_by(LookupError, lambda: None) is None
    with pytest.raises(KeyError):
        refusal_by(ValueError, fail)
