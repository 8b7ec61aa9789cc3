"""Logins: the exchange that RFC 7677 shows, and brokers that do not do their part."""

from __future__ import annotations

import pytest

from sockudo.bus.kafka.sasl import BadLoginError, Login, login

SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Login:
    """The login of the RFC's example, whose client has said its first words."""
    monkeypatch.setattr("secrets.token_hex", lambda length: "rOprNGfwEbeRWgbNEkqO")
    steps = login("SCRAM-SHA-256", "user", "pencil")
    assert next(steps) == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    return steps


def test_a_password_is_proved_as_the_rfc_shows(begun: Login) -> None:
    last = begun.send(SERVER_FIRST)
    assert last == (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    with pytest.raises(StopIteration):
        begun.send(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


@pytest.mark.parametrize(
    "answer",
    [b"", b"v=", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", b"e=other-error", "v=é".encode(), b"v=\xff"],
)
def test_a_broker_that_cannot_prove_the_password_is_refused(begun: Login, answer: bytes) -> None:
    begun.send(SERVER_FIRST)
    with pytest.raises(BadLoginError, match="a broker that does not know the password"):
        begun.send(answer)


@pytest.mark.parametrize(
    ("challenge", "problem"),
    [
        (b"", "cannot be read"),
        (SERVER_FIRST.replace(b"W22", b"!!!"), "cannot be read"),
        (SERVER_FIRST.replace(b"4096", b"many"), "cannot be read"),
        (SERVER_FIRST.replace(b"4096", b"0"), "not for this login"),
        (SERVER_FIRST.replace(b"4096", b"999999999"), "not for this login"),
        (SERVER_FIRST.replace(b"rOpr", b"else"), "not for this login"),
        (b"\xff" + SERVER_FIRST, "not for this login"),
    ],
)
def test_a_challenge_that_is_none_is_refused(begun: Login, challenge: bytes, problem: str) -> None:
    with pytest.raises(BadLoginError, match=problem):
        begun.send(challenge)


def test_a_challenge_that_is_not_text_is_signed_unchanged(begun: Login) -> None:
    assert begun.send(SERVER_FIRST + b",x=\xff").startswith(b"c=biws,r=rOprNGfw")
    with pytest.raises(BadLoginError, match="a broker that does not know the password"):
        begun.send(b"v=")


def test_a_plain_login_says_it_all_at_once() -> None:
    steps = login("PLAIN", "ann", "pä=ss")
    assert next(steps) == "\0ann\0pä=ss".encode()
    with pytest.raises(StopIteration):
        steps.send(b"")


def test_a_name_with_separators_is_escaped() -> None:
    assert next(login("SCRAM-SHA-512", "a=b,c", "p")).startswith(b"n,,n=a=3Db=2Cc,r=")
