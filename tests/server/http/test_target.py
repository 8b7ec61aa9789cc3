from __future__ import annotations

import pytest

from sockudo.server.http.target import TargetError, origin_form


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://host/app/key?a=b", b"/app/key?a=b"),
        (b"HTTPS://host:443/a//b", b"/a//b"),
        (b"ws://[::1]:6001/app/key", b"/app/key"),
        (b"wss://host//app/key", b"//app/key"),
        (b"http://host", b"/"),
        (b"http://host?a=http://b/c", b"/?a=http://b/c"),
        (b"http://host/?a=b@c", b"/?a=b@c"),
    ],
)
def test_an_absolute_target_is_its_path_and_query(target: bytes, path: bytes) -> None:
    assert origin_form(target) == path


@pytest.mark.parametrize("target", [b"*", b"host:443", b"ftp://host/a", b"", b"http:/a"])
def test_any_other_target_is_left_as_it_is(target: bytes) -> None:
    assert origin_form(target) == target


@pytest.mark.parametrize("target", [b"http:///a", b"http://", b"http://?a", b"http://me:secret@host/a"])
def test_a_target_without_host_or_with_login_is_refused(target: bytes) -> None:
    with pytest.raises(TargetError) as refused:
        origin_form(target)
    assert "secret" not in str(refused.value)
