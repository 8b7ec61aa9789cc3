"""The patterns of `allowed_origins`: what they match and which of them are refused."""

from __future__ import annotations

import re

import pytest

from sockudo.apps.origins import AllowedOrigins, OriginError, normalise_origin, normalise_pattern, validate_pattern

LISTED = AllowedOrigins(["*.example.com", "https://a.io", "localhost:3000"])


@pytest.mark.parametrize(
    "origin",
    [
        "https://x.example.com",
        "http://x.y.EXAMPLE.com",
        "https://a.io",
        "HTTPS://A.IO",
        "http://localhost:3000",
        "https://localhost:3000",
    ],
)
def test_an_origin_that_a_pattern_covers_is_allowed(origin: str) -> None:
    assert LISTED.allows(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "http://a.io",
        "http://localhost",
        "http://localhost:3001",
        "https://notexample.com",
        "https://.example.com",
        "https://x.example.com:8080",
        "https://x.example.com.evil.io",
        "null",
        "",
        None,
    ],
)
def test_an_origin_that_no_pattern_covers_is_refused(origin: str | None) -> None:
    assert not LISTED.allows(origin)


@pytest.mark.parametrize("patterns", [None, [], ["*"], ["https://a.io", "*"]])
@pytest.mark.parametrize("origin", ["https://anything.io", "null", "", None])
def test_an_empty_list_and_a_star_allow_everything(patterns: list[str] | None, origin: str | None) -> None:
    assert AllowedOrigins(patterns).allows(origin)


def test_a_star_in_a_pattern_stands_for_any_text() -> None:
    origins = AllowedOrigins(["https://*.example.com", "http://localhost:*"])

    assert origins.allows("https://a.example.com")
    assert origins.allows("http://localhost:5173")
    assert not origins.allows("http://a.example.com")
    assert not origins.allows("https://example.com")


def test_parts_around_a_star_may_not_overlap_in_the_origin() -> None:
    assert not AllowedOrigins(["https://abc*bcd.io"]).allows("https://abcd.io")
    assert AllowedOrigins(["https://abc*bcd.io"]).allows("https://abcbcd.io")


def test_a_domain_pattern_with_a_port_needs_that_port() -> None:
    origins = AllowedOrigins(["*.example.com:8443"])

    assert origins.allows("https://a.example.com:8443")
    assert not origins.allows("https://a.example.com")


@pytest.mark.parametrize(
    "pattern", ["", "  ", "*.*x.com", "*.", "*..x.com", "*.x.com.", "*.a..b", "://x.com", "https://", "*://*"]
)
def test_a_pattern_that_cannot_be_meant_is_a_problem(pattern: str) -> None:
    assert validate_pattern(pattern) is not None


@pytest.mark.parametrize("pattern", ["*", "*.x.com", "https://x.com", "x.com", "localhost:3000", "https://*.x.com"])
def test_a_usable_pattern_has_no_problem(pattern: str) -> None:
    assert validate_pattern(pattern) is None


@pytest.mark.parametrize(
    ("written", "kept", "sent"),
    [
        ("https://a.example.com/", "https://a.example.com", "https://a.example.com"),
        ("https://a.example.com:443", "https://a.example.com", "https://a.example.com"),
        ("http://a.example.com:80/", "http://a.example.com", "http://a.example.com"),
        ("http://a.example.com:443", "http://a.example.com:443", "http://a.example.com:443"),
        ("https://a.example.com:08443", "https://a.example.com:8443", "https://a.example.com:8443"),
        (" https://a\t", "https://a", "https://a"),
        ("HTTPS://A.Example", "https://a.example", "https://a.example"),
        ("https://m\u00fcller.example", "https://xn--mller-kva.example", "https://xn--mller-kva.example"),
        ("https://stra\u00dfe.example", "https://xn--strae-oqa.example", "https://xn--strae-oqa.example"),
        ("*.M\u00dcLLER.example", "*.xn--mller-kva.example", "https://a.xn--mller-kva.example"),
        ("https://*.a.io:443/", "https://*.a.io", "https://b.a.io"),
        ("https://[0:0:0:0:0:0:0:1]:443", "https://[::1]", "https://[::1]"),
        ("[::1]:3000", "[::1]:3000", "http://[::1]:3000"),
        ("a.io/", "a.io", "http://a.io"),
        ("capacitor://localhost", "capacitor://localhost", "capacitor://localhost"),
        ("http*://a.io", "http*://a.io", "https://a.io"),
        ("*:3000", "*:3000", "http://a:3000"),
        ("https://*", "https://*", "https://a.io"),
        ("null", "null", "null"),
    ],
)
def test_a_pattern_is_kept_as_browsers_write_origins(written: str, kept: str, sent: str) -> None:
    assert normalise_pattern(written) == kept
    assert AllowedOrigins([kept]).allows(sent)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("https://a.io/path", "has a path"),
        ("a.io/path", "has a path"),
        ("https://a.io?x", "has a path"),
        ("https://a.io/#x", "has a path"),
        ("https://u:p@a.io", "has a login"),
        ("wss://a.io", "has the scheme of the connection"),
        ("WS://a.io", "has the scheme of the connection"),
        ('["https://a.io"', "is written as JSON"),
        ('"https://a.io"', "is written as JSON"),
        ("localhost:*", "needs a scheme"),
        ("example.*", "needs a scheme"),
        ("a.io:443", "write https://a.io"),
        ("*.a.io:80", "write http://*.a.io"),
        ("https://a.io:port", "has a port that is not a number"),
        ("https://a.io:70000", "has a port that is not a number"),
        ("https://a.io:0", "has a port that is not a number"),
        ("https://a b", "has a character that no host has"),
        ("https://a,https://b", "has a path"),
        ("https://[::1", "has no valid IPv6 address"),
        ("https://[x]", "has no valid IPv6 address"),
        ("https://" + "\u00fc" * 64, "that no domain name can be"),
        ("https:/a.io", "has a path"),
        ("//a.io", "has a path"),
        ("${ORIGIN}", "has a character that no host has"),
    ],
)
def test_a_pattern_that_no_browser_can_meet_says_why(pattern: str, why: str) -> None:
    with pytest.raises(OriginError, match=re.escape(why)):
        normalise_pattern(pattern)


@pytest.mark.parametrize("origin", ["a.io", "*", "https://*.a.io", "null", ""])
def test_a_single_origin_is_no_pattern(origin: str) -> None:
    with pytest.raises(OriginError):
        normalise_origin(origin)
