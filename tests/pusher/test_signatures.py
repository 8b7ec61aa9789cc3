from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sockudo.pusher.signatures import (
    Signer,
    body_md5,
    channel_string,
    is_authorised,
    is_same,
    request_string,
    signed_query,
    user_string,
)
from tests.support.properties import THOROUGH

# The credentials and results that Pusher's documentation prints.
KEY = "278d425bdf160c739803"
SIGNER = Signer("7ad3773142a6692b25b8")
BODY = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'

texts = st.text(max_size=80)


def test_the_private_channel_of_the_documentation() -> None:
    assert SIGNER.sign(channel_string("1234.1234", "private-foobar", None)) == (
        "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
    )


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        # The page prints the first signature beside the second name.
        ("Mr. Pusher", "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c"),
        ("Mr. Channels", "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"),
    ],
)
def test_the_presence_channel_of_the_documentation(name: str, signature: str) -> None:
    channel_data = f'{{"user_id":10,"user_info":{{"name":"{name}"}}}}'
    assert SIGNER.sign(channel_string("1234.1234", "presence-foobar", channel_data)) == signature


def test_the_sign_in_of_the_documentation() -> None:
    assert SIGNER.sign(user_string("1234.1234", '{"id":"12345"}')) == (
        "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"
    )


def test_the_request_of_the_documentation() -> None:
    params = {
        "auth_version": "1.0",
        "auth_key": KEY,
        "body_md5": body_md5(BODY),
        "auth_timestamp": "1353088179",
    }
    message = request_string("POST", "/apps/3/events", signed_query(params))
    assert message == (
        b"POST\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
        b"&body_md5=ec365a775a4cd0599faeb73354201b6f"
    )
    assert SIGNER.sign(message) == "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"


def test_bodies_of_the_documentation() -> None:
    assert body_md5(BODY) == "ec365a775a4cd0599faeb73354201b6f"
    assert body_md5(b"") == "d41d8cd98f00b204e9800998ecf8427e"


def test_values_are_signed_unescaped_and_sorted_by_name() -> None:
    message = request_string(
        "GET", "/apps/3/channels", signed_query({"name": "Something else", "channels[]": "é,b", "a": ""})
    )
    assert message.decode() == "GET\n/apps/3/channels\na=&channels[]=é,b&name=Something else"


def test_a_request_without_parameters_signs_an_empty_line() -> None:
    assert request_string("GET", "/", signed_query({})) == b"GET\n/\n"


def test_channel_data_is_signed_even_where_it_is_empty() -> None:
    assert channel_string("1.2", "private-x", None) == b"1.2:private-x"
    assert channel_string("1.2", "private-x", "") == b"1.2:private-x:"


def test_an_auth_is_the_apps_key_and_the_signature() -> None:
    signature = SIGNER.sign(b"message")
    assert is_authorised(SIGNER, KEY, f"{KEY}:{signature}", b"message")
    for auth in (
        signature,
        f":{signature}",
        f"other:{signature}",
        f"{KEY}:{signature.upper()}",
        f"{KEY}:{signature} ",
        f"{KEY}:",
        f"{KEY}::user::{signature}",
        "",
        "é",
    ):
        assert not is_authorised(SIGNER, KEY, auth, b"message")


def test_comparing_takes_any_text() -> None:
    assert is_same("é", "é")
    assert not is_same("a", "\udcff")
    assert not is_same("a", "\ud800")
    assert not is_same("", "a")


def test_the_secret_is_not_shown() -> None:
    assert "7ad3" not in repr(SIGNER)
    assert not hasattr(SIGNER, "__dict__")


@THOROUGH
@given(st.text(max_size=200), st.binary(max_size=300))
def test_signatures_are_hmac_sha256_for_any_secret_and_message(secret: str, message: bytes) -> None:
    assert Signer(secret).sign(message) == hmac.digest(secret.encode(), message, "sha256").hex()


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 128, 1000])
def test_secrets_around_the_hashs_block_size_are_no_exception(length: int) -> None:
    secret = "k" * length
    assert Signer(secret).sign(b"m") == hmac.new(secret.encode(), b"m", hashlib.sha256).hexdigest()


@THOROUGH
@given(st.lists(st.binary(max_size=80), max_size=5))
def test_a_signer_can_be_used_again_and_again(messages: list[bytes]) -> None:
    signer = Signer("secret")
    first = [signer.sign(message) for message in messages]
    assert [signer.sign(message) for message in messages] == first


@THOROUGH
@given(texts, st.binary(max_size=80))
def test_what_was_signed_is_valid(secret: str, message: bytes) -> None:
    signer = Signer(secret)
    assert signer.is_valid(message, signer.sign(message))
    assert is_authorised(signer, "key", f"key:{signer.sign(message)}", message)


@THOROUGH
@given(st.binary(min_size=1, max_size=80), st.data())
def test_changing_any_byte_of_the_message_makes_it_invalid(message: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(message) - 1))
    other = data.draw(st.integers(1, 255)) ^ message[at]
    assert not SIGNER.is_valid(message[:at] + bytes([other]) + message[at + 1 :], SIGNER.sign(message))


@THOROUGH
@given(st.binary(max_size=80), st.integers(0, 63), st.characters())
def test_changing_any_character_of_the_signature_makes_it_invalid(message: bytes, at: int, other: str) -> None:
    signature = SIGNER.sign(message)
    assume(signature[at] != other)
    assert not SIGNER.is_valid(message, signature[:at] + other + signature[at + 1 :])


@THOROUGH
@given(st.text(max_size=40), st.binary(max_size=40))
def test_another_secret_makes_another_signature(secret: str, message: bytes) -> None:
    assume(secret.encode().ljust(64, b"\0") != b"secret".ljust(64, b"\0"))
    assert not Signer("secret").is_valid(message, Signer(secret).sign(message))


def test_every_signature_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("sockudo.pusher.signatures.compare_digest", compare)
    true = SIGNER.sign(b"m")
    for sent in (true, "", true[:-1], "\udc00"):
        SIGNER.is_valid(b"m", sent)
        is_authorised(SIGNER, "key", f"key:{sent}", b"m")
    assert len(compared) == 8
    assert {one for one, _ in compared} == {true.encode(), f"key:{true}".encode()}
