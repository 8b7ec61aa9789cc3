from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockudo.api.auth import Authenticator
from sockudo.api.messages import Request
from sockudo.apps.app import App
from sockudo.pusher.errors import RequestRejected
from sockudo.pusher.query import parse_query
from tests.clients.signing import query_string, sign, signed_params
from tests.fakes.node import KEY, SECRET, make_app
from tests.support.properties import THOROUGH, texts

NOW = 1_700_000_000.5
PATH = "/apps/1/events"
APP = make_app()
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def check(
    query: str, *, method: str = "GET", path: str = PATH, body: bytes = b"", app: App = APP, prefix: str = ""
) -> None:
    request = Request(method, path, query, body=body)
    Authenticator(prefix).authenticate(app, request, path, parse_query(query), NOW)


def is_taken(query: str, path: str, sent_path: str, prefix: str) -> bool:
    """Tell whether a path passes whose form as sent is another one."""
    request = Request("GET", sent_path, query)
    try:
        Authenticator(prefix).authenticate(APP, request, path, parse_query(query), NOW)
    except RequestRejected:
        return False
    return True


def refusal(query: str, **request: Any) -> RequestRejected:
    with pytest.raises(RequestRejected) as refused:
        check(query, **request)
    assert SECRET not in refused.value.message
    return refused.value


def signed(method: str = "GET", body: bytes = b"", path: str = PATH, **changes: str | None) -> dict[str, str]:
    """Return the signed parameters of a request; a parameter of None is left out, before it is signed."""
    params = {name: value for name, value in changes.items() if value is not None}
    credentials = {"key": params.pop("auth_key", KEY), "secret": SECRET}
    timestamp = int(params.pop("auth_timestamp", str(int(NOW))))
    return signed_params(method, path, params, body=body, timestamp=timestamp, **credentials)


def signed_text(text: str) -> str:
    """Return a query as given, with the signature of its parameters, which are sorted and unescaped already."""
    return f"{text}&auth_signature={sign(f'GET{chr(10)}{PATH}{chr(10)}{text}', SECRET)}"


BASE = f"auth_key={KEY}&auth_timestamp={int(NOW)}&auth_version=1.0"


def test_a_signed_request_passes() -> None:
    check(query_string(signed()))
    check(query_string(signed("POST", b"{}")), method="POST", body=b"{}")


@pytest.mark.parametrize("query", ["", "&", "&&"])
def test_a_request_without_parameters_is_refused(query: str) -> None:
    refused = refusal(query)
    assert (refused.status, "are missing" in refused.message) == (401, True)


@pytest.mark.parametrize(
    "name", ["auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5", "AUTH_KEY"]
)
def test_an_auth_parameter_given_twice_is_a_bad_request(name: str) -> None:
    refused = refusal(query_string(signed()) + f"&{name}=x&{name}=x")
    assert (refused.status, f"{name.lower()} is given more than once" in refused.message) == (400, True)


@pytest.mark.parametrize("key", ["", "other-key", KEY.upper(), KEY + "x", "é"])
def test_a_wrong_key_is_refused_whatever_its_signature(key: str) -> None:
    refused = refusal(query_string(signed(auth_key=key)))
    assert (refused.status, "not a key of this app" in refused.message) == (401, True)


def test_credentials_of_one_app_cannot_act_on_another() -> None:
    other = make_app(id="other", key="other-key", secret="other-secret")
    assert refusal(query_string(signed()), app=other).status == 401
    params = signed_params("GET", PATH, {}, key="other-key", secret="other-secret", timestamp=int(NOW))
    check(query_string(params), app=other)
    assert refusal(query_string(params)).status == 401


def test_without_a_key_nothing_passes() -> None:
    assert refusal("auth_timestamp=1&auth_signature=x").status == 401


@pytest.mark.parametrize("offset", [-600, -599, 0, 599, 600])
def test_a_timestamp_within_600_seconds_passes(offset: int) -> None:
    check(query_string(signed(auth_timestamp=str(int(NOW) + offset))))


@pytest.mark.parametrize("offset", [-601, 601, -(10**9), 10**15])
def test_a_timestamp_further_away_is_refused(offset: int) -> None:
    params = signed_params("GET", PATH, {}, key=KEY, secret=SECRET, timestamp=int(NOW) + offset)
    refused = refusal(query_string(params))
    if int(NOW) + offset < 0:
        assert "not a whole number" in refused.message
    else:
        assert "Timestamp expired" in refused.message
        assert "600 s" in refused.message
    assert refused.status == 401


def test_a_missing_timestamp_is_refused() -> None:
    refused = refusal(f"auth_key={KEY}&auth_signature=x")
    assert (refused.status, "auth_timestamp is missing" in refused.message) == (401, True)


@pytest.mark.parametrize("text", ["", "now", "1700000000.5", "-1", "+1700000000", " 1", "١٧", "9" * 21, "9" * 100_000])
def test_a_timestamp_that_is_not_a_whole_number_is_refused(text: str) -> None:
    refused = refusal(f"auth_key={KEY}&auth_timestamp={quote_plus(text)}&auth_signature=x")
    assert (refused.status, "not a whole number" in refused.message) == (401, True)


def test_the_version_is_signed_but_not_checked() -> None:
    check(signed_text(f"auth_key={KEY}&auth_timestamp={int(NOW)}"))
    check(signed_text(f"auth_key={KEY}&auth_timestamp={int(NOW)}&auth_version=2"))
    assert refusal(signed_text(BASE).replace("1.0", "1.1")).status == 401


def test_a_body_needs_its_md5() -> None:
    # Signed as if there were no body.
    refused = refusal(query_string(signed("POST")), method="POST", body=b"{}")
    assert (refused.status, "body_md5 is required" in refused.message) == (401, True)


def test_the_md5_of_another_body_is_refused() -> None:
    for body, other in ((b"{}", b"{ }"), (b"", b"{}"), (b"{}", b"")):
        params = signed("POST", body, body_md5=hashlib.md5(other).hexdigest())
        refused = refusal(query_string(params), method="POST", body=body)
        assert (refused.status, "does not match the body" in refused.message) == (401, True)


@pytest.mark.parametrize("md5", [None, "", EMPTY_MD5, EMPTY_MD5.upper()])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_empty_body_may_have_its_md5_or_none(method: str, md5: str | None) -> None:
    check(query_string(signed(method, body_md5=md5)), method=method)


def test_a_get_request_with_a_wrong_body_md5_is_refused() -> None:
    assert refusal(query_string(signed(body_md5="0" * 32))).status == 401


def test_a_missing_signature_is_refused() -> None:
    refused = refusal(BASE)
    assert (refused.status, "auth_signature is missing" in refused.message) == (401, True)


def test_a_wrong_signature_is_refused() -> None:
    good = signed()["auth_signature"]
    for wrong in ("", "x", good.upper(), good[:-1], good + "0", "é"):
        refused = refusal(f"{BASE}&auth_signature={quote(wrong)}")
        assert (refused.status, "Invalid signature" in refused.message) == (401, True)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "POST"},
        {"path": "/apps/1/channels"},
        {"path": PATH.upper()},
        {"app": make_app(secret="other")},
    ],
)
def test_a_signature_holds_for_one_method_path_and_secret(change: dict[str, Any]) -> None:
    refused = refusal(query_string(signed()), **change)
    assert (refused.status, "Invalid signature" in refused.message) == (401, True)


def test_a_parameter_that_was_not_signed_is_refused() -> None:
    assert refusal(query_string(signed()) + "&info=user_count").status == 401


def test_a_disabled_app_is_403_when_all_else_is_right() -> None:
    disabled = make_app(enabled=False)
    refused = refusal(query_string(signed()), app=disabled)
    assert (refused.status, refused.message) == (403, "Forbidden: Application is disabled.")
    assert refusal(f"{BASE}&auth_signature=x", app=disabled).status == 401


def test_names_are_signed_in_lower_case_and_sorted_anew() -> None:
    text = f"{BASE}&info=b&zoo=a"
    signature = sign(f"GET\n{PATH}\n{text}", SECRET)
    check(f"Zoo=a&INFO=b&Auth_Version=1.0&AUTH_KEY={KEY}&auth_Timestamp={int(NOW)}&Auth_Signature={signature}")


@pytest.mark.parametrize("sent", ["Something+else", "Something%20else", "Something else"])
def test_a_value_is_signed_with_a_literal_space(sent: str) -> None:
    signature = sign(f"GET\n{PATH}\n{BASE}&name=Something else", SECRET)
    check(f"{BASE}&Name={sent}&auth_signature={signature}")


def test_of_a_repeated_parameter_the_last_value_is_signed() -> None:
    signature = sign(f"GET\n{PATH}\n{BASE}&info=b", SECRET)
    check(f"{BASE}&info=a&info=b&auth_signature={signature}")


def test_a_list_may_be_signed_joined_by_commas() -> None:
    signature = sign(f"GET\n{PATH}\n{BASE}&channels[]=a,b,c", SECRET)
    check(f"{BASE}&channels[]=a&channels[]=b&channels%5B%5D=c&auth_signature={signature}")
    assert refusal(f"{BASE}&channels[]=a&channels[]=c&channels%5B%5D=b&auth_signature={signature}").status == 401


def test_a_signed_list_may_repeat_its_name_before_each_value() -> None:
    signature = sign(f"GET\n{PATH}\n{BASE}&channels[]=a&channels[]=b", SECRET)
    check(f"{BASE}&channels[]=a&channels%5B%5D=b&auth_signature={signature}")
    assert refusal(f"{BASE}&channels[]=b&channels[]=a&auth_signature={signature}").status == 401


def test_unknown_parameters_are_part_of_what_is_signed() -> None:
    check(signed_text(f"{BASE}&foo=bar"))


def test_a_path_is_signed_as_it_was_sent() -> None:
    path = "/apps/1/channels/presence%2Dx"
    check(query_string(signed(path=path)), path=path)
    assert refusal(query_string(signed(path="/apps/1/channels/presence-x")), path=path).status == 401


def test_a_path_may_be_signed_with_or_without_the_prefix() -> None:
    path = "/realtime" + PATH
    check(query_string(signed(path=path)), path=path, prefix="/realtime")
    check(query_string(signed(path=PATH)), path=path, prefix="/realtime")
    assert refusal(query_string(signed(path=PATH)), path=path).status == 401
    assert refusal(query_string(signed(path="/other" + PATH)), path=path, prefix="/realtime").status == 401
    assert refusal(query_string(signed(path=PATH[len("/realtime") :])), path=PATH, prefix="/realtime").status == 401


@pytest.mark.parametrize("prefix", ["", "/realtime"])
@pytest.mark.parametrize("sent", ["/realtime/apps/1/events/", "//realtime/apps/1/events", "/realtime/apps/1/events"])
def test_a_path_may_be_signed_as_sent_or_normalised(sent: str, prefix: str) -> None:
    path = "/realtime/apps/1/events"
    taken = {sent, path} | ({"/apps/1/events"} if prefix else set())
    for signed_path in (sent, path, "/apps/1/events", "/apps/2/events", "/apps/1/events//", ""):
        query = query_string(signed(path=signed_path))
        assert is_taken(query, path, sent, prefix) == (signed_path in taken), signed_path


def test_a_prefix_and_a_list_may_come_together() -> None:
    signature = sign(f"GET\n{PATH}\n{BASE}&channels[]=a,b", SECRET)
    query = f"{BASE}&channels[]=a&channels[]=b&auth_signature={signature}"
    check(query, path="/realtime" + PATH, prefix="/realtime")


def test_the_request_of_the_documentation_passes_at_its_time() -> None:
    body = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    query = (
        "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
        "&body_md5=ec365a775a4cd0599faeb73354201b6f"
        "&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    )
    app = make_app(id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")
    request = Request("POST", "/apps/3/events", query, body=body)
    Authenticator("").authenticate(app, request, "/apps/3/events", parse_query(query), 1353088179)


names = st.text("abcdefghijklmnopqrstuvwxyz_[]", min_size=1, max_size=8).filter(
    lambda name: not name.startswith(("auth_", "body_"))
)


@THOROUGH
@given(
    st.dictionaries(names, texts, max_size=4),
    st.binary(max_size=30),
    st.sampled_from(["GET", "POST"]),
    st.randoms(use_true_random=False),
    st.sampled_from([quote, quote_plus, lambda value, safe: quote(value, safe=safe + ",:@/")]),
    st.booleans(),
    st.booleans(),
)
def test_what_a_library_signs_passes_in_any_order_and_spelling(
    params: dict[str, str],
    body: bytes,
    method: str,
    random: Any,
    escape: Any,
    with_prefix: bool,
    always_md5: bool,
) -> None:
    if always_md5 or body:
        params = params | {"body_md5": hashlib.md5(body).hexdigest()}
    path = "/p" + PATH
    signed_path = path if with_prefix else PATH
    pairs = list(signed_params(method, signed_path, params, key=KEY, secret=SECRET, timestamp=int(NOW)).items())
    random.shuffle(pairs)
    query = "&".join(f"{name}={escape(value, safe='')}" for name, value in pairs)
    check(query, method=method, path=path, body=body, prefix="/p")


@THOROUGH
@given(st.lists(texts.filter(bool), min_size=2, max_size=5), st.data())
def test_a_list_passes_joined_by_commas_and_no_other_does(values: list[str], data: st.DataObject) -> None:
    signature = sign(f"GET\n{PATH}\n{BASE}&names[]={','.join(values)}", SECRET)
    pairs = "&".join(f"names[]={quote(value, safe='')}" for value in values)
    check(f"{BASE}&{pairs}&auth_signature={signature}")
    shorter = "&".join(f"names[]={quote(value, safe='')}" for value in values[:-1])
    assert refusal(f"{BASE}&{shorter}&auth_signature={signature}").status == 401


@THOROUGH
@given(st.data())
def test_changing_one_character_of_the_query_is_refused(data: st.DataObject) -> None:
    query = query_string(signed(info="user_count", filter_by_prefix="presence-"))
    at = data.draw(st.integers(0, len(query) - 1))
    other = data.draw(st.sampled_from("abcxyz0189=_-").filter(lambda c: c.lower() != query[at].lower()))
    assert refusal(query[:at] + other + query[at + 1 :]).status in (400, 401)


@THOROUGH
@given(st.text(max_size=60) | st.builds(lambda text: f"{BASE}&{text}", st.text(max_size=60)))
def test_no_query_raises_anything_but_a_refusal(query: str) -> None:
    assert refusal(query).status in (400, 401)


@THOROUGH
@given(st.binary(max_size=40))
def test_raw_bytes_of_a_request_line_pass_or_are_refused(raw: bytes) -> None:
    # The server reads a request line so.
    refusal(f"{BASE}&x=" + raw.decode("utf-8", "surrogateescape").replace("&", ""))
