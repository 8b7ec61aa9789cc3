from __future__ import annotations

from tests.clients.signing import query_string, sign, signed_params


def test_signatures_are_those_of_the_protocol_page() -> None:
    assert sign("1234.1234:private-foobar", "7ad3773142a6692b25b8") == (
        "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
    )


def test_a_request_is_signed_as_the_protocol_page_does_it() -> None:
    params = signed_params(
        "POST",
        "/apps/3/events",
        {},
        key="278d425bdf160c739803",
        secret="7ad3773142a6692b25b8",
        timestamp=1353088179,
        body=b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}',
    )
    assert params["body_md5"] == "ec365a775a4cd0599faeb73354201b6f"
    assert params["auth_signature"] == "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"


def test_values_are_escaped_in_the_query() -> None:
    assert query_string({"a": "1,2 3&4", "b[]": "é"}) == "a=1%2C2%203%264&b[]=%C3%A9"
