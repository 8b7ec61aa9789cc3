from __future__ import annotations

import nkeys
import pytest

from sockudo.bus.nats.keys import UserKey

SEED = nkeys.encode_seed(b"s" * 32, nkeys.PREFIX_BYTE_USER).decode()


def test_a_key_is_that_of_the_official_library() -> None:
    theirs = nkeys.from_seed(bytearray(SEED.encode()))
    ours = UserKey(f" {SEED}\n")
    assert ours.public_key == theirs.public_key.decode()
    assert ours.sign(b"nonce") == theirs.sign(b"nonce")


@pytest.mark.parametrize(
    ("seed", "problem"),
    [
        ("", "not a whole key"),
        ("not base 32!", "not Base32"),
        (SEED[:56], "not a whole key"),
        (SEED[:20] + ("QQ" if SEED[20:22] != "QQ" else "ZZ") + SEED[22:], "not a whole key"),
        (nkeys.encode_seed(b"s" * 32, nkeys.PREFIX_BYTE_ACCOUNT).decode(), "not the seed of a user"),
        (UserKey(SEED).public_key, "not a whole key"),
    ],
)
def test_another_text_is_refused_and_not_quoted(seed: str, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        UserKey(seed)
