"""Invokes AWS Lambda functions, and imports their library with the first one."""

from __future__ import annotations

from collections.abc import Callable

from sockudo.apps.webhook import Function
from sockudo.errors import MissingExtraError
from sockudo.webhooks.delivery.post_error import PostError
from sockudo.webhooks.delivery.sender import Invoker


class Functions:
    """An `Invoker` that makes the real one for the first function."""

    def __init__(self, make: Callable[[], Invoker]) -> None:
        self._make = make
        self._invoker: Invoker | None = None

    async def invoke(self, function: Function, body: bytes) -> None:
        if self._invoker is None:
            try:
                self._invoker = self._make()
            except MissingExtraError as problem:
                raise PostError(str(problem)) from None
        await self._invoker.invoke(function, body)

    async def aclose(self) -> None:
        if self._invoker is not None:
            await self._invoker.aclose()
