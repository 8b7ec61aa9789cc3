"""Invokes AWS Lambda functions, with the credentials that the AWS libraries find."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from sockudo.apps.webhook import Function
from sockudo.webhooks.delivery.post_error import PostError

# The most clients; each region and endpoint has its own.
_MOST_CLIENTS: Final = 20
_MOST_READ: Final = 64 * 1024


class LambdaInvoker:
    """An `Invoker` over the API of AWS Lambda."""

    def __init__(self, timeout: float, *, allow_private: bool) -> None:
        self._timeout = timeout
        self._allow_private = allow_private
        self._session = get_session()
        # Each client with the stack that closes it, the oldest first.
        self._clients: dict[tuple[str, str | None], tuple[Any, AsyncExitStack]] = {}
        self._opening = asyncio.Lock()

    async def invoke(self, function: Function, body: bytes) -> None:
        """Hand a body to a function.

        Raises:
            PostError: AWS did not take it, or the function failed and the server waits for its answer.
        """
        if function.endpoint_url is not None and not self._allow_private:
            raise PostError("an endpoint_url of its own is not allowed (webhooks.allow_private)")
        try:
            async with asyncio.timeout(self._timeout):
                client = await self._client(function.region, function.endpoint_url)
                qualifier = {} if function.qualifier is None else {"Qualifier": function.qualifier}
                answer = await client.invoke(
                    FunctionName=function.name, InvocationType=function.invocation_type, Payload=body, **qualifier
                )
                payload = answer["Payload"]
                # The result of entering the client differs between versions of the library.
                async with payload:
                    await payload.read(_MOST_READ)
        except TimeoutError:
            raise PostError(f"no answer within {self._timeout:g} s") from None
        except ClientError as problem:
            code = problem.response.get("Error", {}).get("Code", "unknown")
            raise PostError(f"AWS Lambda refused it ({code})") from None
        except (BotoCoreError, OSError) as problem:
            raise PostError(f"AWS Lambda cannot be reached ({type(problem).__name__})") from None
        if answer.get("FunctionError"):
            raise PostError("the function failed")

    async def aclose(self) -> None:
        """Close every connection."""
        while self._clients:
            await self._close_oldest()

    async def _client(self, region: str, endpoint_url: str | None) -> Any:
        key = (region, endpoint_url)
        async with self._opening:
            if key not in self._clients:
                if len(self._clients) >= _MOST_CLIENTS:
                    await self._close_oldest()
                # The queue itself tries again.
                config = AioConfig(
                    connect_timeout=self._timeout, read_timeout=self._timeout, retries={"total_max_attempts": 1}
                )
                opening = self._session.create_client(
                    "lambda", region_name=region, endpoint_url=endpoint_url, config=config
                )
                stack = AsyncExitStack()
                self._clients[key] = (await stack.enter_async_context(opening), stack)
            return self._clients[key][0]

    async def _close_oldest(self) -> None:
        _, stack = self._clients.pop(next(iter(self._clients)))
        await stack.aclose()
