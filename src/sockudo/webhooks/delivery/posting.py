"""Posts a webhook body to a URL, and describes the outcome in a few words.

The words never repeat any part of the URL, the headers or the response, which may hold credentials: the words go into
logs and the list of failed jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp
from yarl import URL

from sockudo import __version__
from sockudo.webhooks.delivery.address_guard import AddressRefusedError, public_socket
from sockudo.webhooks.delivery.post_error import PostError
from sockudo.webhooks.delivery.resolver import ThreadsResolver

USER_AGENT: Final = f"sockudo/{__version__}"
# The limits of bytes and seconds for reading a response, which is discarded, so that its connection can be used again.
_MOST_READ: Final = 64 * 1024
_MOST_SECONDS: Final = 1.0
_KEPT_SECONDS: Final = 30
_NAME_SECONDS: Final = 30


class HttpPoster:
    """Posts to endpoints, over connections that it keeps for a while. Make it in the event loop."""

    def __init__(self, timeout: float, *, allow_private: bool) -> None:
        self._timeout = timeout
        connector = aiohttp.TCPConnector(
            limit=0,  # the caller's limit is per request, not per connection
            limit_per_host=0,
            keepalive_timeout=_KEPT_SECONDS,
            ttl_dns_cache=_NAME_SECONDS,
            resolver=ThreadsResolver(),
            socket_factory=None if allow_private else public_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout),
            # A webhook may have its own, in any spelling of the name.
            headers={"User-Agent": USER_AGENT},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; return the status, which is 2xx.

        Raises:
            PostError: the endpoint did not accept it.
        """
        try:
            # The URL is sent as it was configured.
            request = self._session.post(
                URL(url, encoded=True),
                data=body,
                headers=headers,
                allow_redirects=False,
            )
            async with request as answer:
                # Only the status counts, even if the rest of the response fails.
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with asyncio.timeout(_MOST_SECONDS):
                        await _throw_away(answer)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
            raise PostError(self._words(problem)) from None
        if 200 <= status < 300:
            return status
        raise PostError(f"answered {status}" + (", and redirects are not followed" if 300 <= status < 400 else ""))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()

    def _words(self, problem: Exception) -> str:
        """Describe an exception."""
        cause = problem
        # The error of a certificate is one of these too, but has no cause.
        if isinstance(problem, aiohttp.ClientConnectorError) and not isinstance(problem, ssl.SSLCertVerificationError):
            cause = problem.os_error
        match cause:
            case AddressRefusedError():
                return str(cause)
            case TimeoutError():
                return f"no answer within {self._timeout:g} s"
            case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
                return "its certificate cannot be verified"
            case socket.gaierror():
                return "its name cannot be resolved"
            case ssl.SSLError():
                return "no TLS connection"
            case ConnectionRefusedError():
                return "connection refused"
            case aiohttp.ServerDisconnectedError() | ConnectionResetError():
                return "connection closed before an answer"
            case aiohttp.InvalidURL() | ValueError():
                return "its URL or headers cannot be used"
            case OSError():
                return f"no connection ({type(cause).__name__})"
            case _:
                return f"no valid answer ({type(problem).__name__})"


async def _throw_away(answer: aiohttp.ClientResponse) -> None:
    read = 0
    async for piece in answer.content.iter_any():
        read += len(piece)
        if read > _MOST_READ:
            answer.close()
            return
