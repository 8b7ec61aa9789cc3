"""Calls SQS through the AWS library, with timeouts, and turns its errors into `DriverError`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from sockudo.errors import DriverError
from sockudo.queues.sqs.options import SqsQueueOptions

_LONGEST_REASON: Final = 300
# The connections in addition to those that wait for messages.
_CONNECTIONS: Final = 50


class Refused(DriverError):
    """SQS has answered, with an error code."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class SqsClient:
    """Calls SQS. A call that fails raises `DriverError` after a bounded time; the caller tries again."""

    def __init__(self, options: SqsQueueOptions) -> None:
        self._options = options
        self._open = contextlib.AsyncExitStack()
        self._client: Any = None

    async def start(self) -> None:
        """Make the client; only the first call shows whether SQS can be reached.

        Raises:
            DriverError: the region or the credentials are not valid.
        """
        options, section = self._options, self._options.section
        try:
            self._client = await self._open.enter_async_context(
                get_session().create_client(
                    "sqs",
                    region_name=section.region,
                    endpoint_url=section.endpoint_url,
                    config=AioConfig(
                        connect_timeout=2,
                        read_timeout=options.timeout + section.wait_time_seconds,
                        max_pool_connections=section.concurrency + _CONNECTIONS,
                        # The queue itself tries again.
                        retries={"total_max_attempts": 1},
                    ),
                )
            )
        except Exception as error:
            # The library has many errors for bad credentials or a bad region.
            await self.aclose()
            raise self.unusable(error) from None

    async def call(self, name: str, /, wait: float = 0.0, **arguments: Any) -> Any:
        """Call SQS, which may take `wait` seconds longer than usual.

        Raises:
            Refused: SQS refuses the call.
            DriverError: SQS does not answer.
        """
        if self._client is None:
            raise DriverError("the queue in SQS is closed")
        timeout = self._options.timeout
        try:
            async with asyncio.timeout(timeout + wait):
                return await getattr(self._client, name)(**arguments)
        except TimeoutError:
            raise self.unusable(f"no answer in {timeout:g} s") from None
        except ClientError as error:
            problem = error.response.get("Error", {})
            code, text = problem.get("Code", ""), problem.get("Message", "")
            raise Refused(str(self.unusable(f"{code} {text}".strip())), code) from None
        except Exception as error:
            # The network layer below the library has errors of its own.
            raise self.unusable(error) from None

    def unusable(self, reason: str | Exception) -> DriverError:
        """Return an error that names the place and the setting, and no secret."""
        text = reason if isinstance(reason, str) else str(reason) or type(reason).__name__
        endpoint_url = self._options.section.endpoint_url
        if endpoint_url is not None:
            text = text.replace(endpoint_url, self._options.place)
        return DriverError(f"{self._options.place} cannot be used (queue.sqs): {text[:_LONGEST_REASON]}")

    async def aclose(self) -> None:
        """Close every connection; may be called again."""
        self._client = None
        await self._open.aclose()
