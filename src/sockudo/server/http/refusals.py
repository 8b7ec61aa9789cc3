"""Answers to requests that the server refuses before it has read all of them."""

from __future__ import annotations

from sockudo.api.messages import Response, error_response


def no_room(limit: int) -> Response:
    """Return the answer to a socket that is one too many."""
    text = f"Over capacity: the server has room for {limit} connections (its limit on open files)"
    return error_response(503, text, ("Retry-After", "1"))


def malformed(reason: str) -> Response:
    """Return the answer to what is not HTTP, or not sound."""
    return error_response(400, f"Invalid HTTP request: {reason}")


def too_slow(part: str, seconds: int) -> Response:
    """Return the answer to a request of which a part (head, body) takes too long."""
    return error_response(408, f"The {part} of a request must be complete in {seconds} s")


def body_too_large(limit: int) -> Response:
    """Return the answer to a body of more than `limit` bytes."""
    return error_response(
        413, f"Payload too large. The limit is {limit} bytes for a request body (http_api.request_limit_in_mb)"
    )


def head_too_large(limit: int) -> Response:
    """Return the answer to a head of more than `limit` bytes."""
    return error_response(431, f"The head of a request is limited to {limit} bytes")


def framing_too_large(limit: int) -> Response:
    """Return the answer to a body in chunks with more than `limit` bytes of trailers and chunk extensions."""
    return error_response(431, f"The trailers and chunk extensions of a request are limited to {limit} bytes")


def too_many_bodies(limit: str) -> Response:
    """Return the answer to a request for whose body there is no memory now."""
    return error_response(
        503,
        f"Too many request bodies at once. The limit is {limit} for all of them (http_api.max_bodies_in_flight_mb)",
        ("Retry-After", "1"),
    )
