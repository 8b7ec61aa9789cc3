"""The patterns of `allowed_origins`: what they match and which of them are refused."""

from __future__ import annotations

import pytest

from sockudo.apps.origins import AllowedOrigins, validate_pattern

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


def test_a_star_inside_a_pattern_stands_for_any_text_between_its_parts() -> None:
    origins = AllowedOrigins(["https://*.example.com", "http://localhost:*"])

    assert origins.allows("https://a.example.com")
    assert origins.allows("http://localhost:5173")
    assert not origins.allows("http://a.example.com")
    assert not origins.allows("https://example.com")


def test_the_parts_around_a_star_may_not_overlap_in_the_origin() -> None:
    assert not AllowedOrigins(["https://abc*bcd.io"]).allows("https://abcd.io")
    assert AllowedOrigins(["https://abc*bcd.io"]).allows("https://abcbcd.io")


def test_a_pattern_with_a_port_below_a_domain_needs_that_port() -> None:
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
