"""Functions are invoked through the real AWS library, against a server that answers as AWS Lambda does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from sockudo.apps.webhook import Function
from sockudo.webhooks.delivery.lambda_sender import LambdaInvoker
from sockudo.webhooks.delivery.post_error import PostError

BODY = b'{"time_ms":1,"events":[]}'


class Lambda:
    """The part of AWS Lambda's API that invokes functions.

    Attributes:
        requests: path with query, type of invocation and body of each request.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []
        self.is_signed = True
        self.answer = web.Response(status=202)
        self.hangs = False
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.is_signed &= request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
        kind = request.headers["X-Amz-Invocation-Type"]
        self.requests.append((str(request.rel_url), kind, await request.read()))
        if self.hangs:
            await asyncio.sleep(30)
        return self.answer


@pytest.fixture
async def aws(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lambda]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    stand_in = Lambda()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", stand_in.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stand_in
    await runner.cleanup()


@contextlib.asynccontextmanager
async def invoker(seconds: float = 5, *, allow_private: bool = True) -> AsyncIterator[LambdaInvoker]:
    made = LambdaInvoker(seconds, allow_private=allow_private)
    try:
        yield made
    finally:
        await made.aclose()


async def test_a_function_is_invoked_with_the_body(aws: Lambda) -> None:
    async with invoker() as lambdas:
        await lambdas.invoke(Function("hooks", endpoint_url=aws.url), BODY)
        aws.answer = web.Response(status=200, body=b'"answer"')
        await lambdas.invoke(Function("hooks", "eu-west-1", "RequestResponse", "live", aws.url), BODY)
    assert aws.requests == [
        ("/2015-03-31/functions/hooks/invocations", "Event", BODY),
        ("/2015-03-31/functions/hooks/invocations?Qualifier=live", "RequestResponse", BODY),
    ]
    assert aws.is_signed


async def test_what_aws_refuses_is_a_failure_with_its_code(aws: Lambda) -> None:
    aws.answer = web.json_response(
        {"Message": "Function not found: arn:aws:lambda:s3cret"},
        status=404,
        headers={"x-amzn-ErrorType": "ResourceNotFoundException"},
    )
    async with invoker() as lambdas:
        with pytest.raises(PostError) as caught:
            await lambdas.invoke(Function("hooks", endpoint_url=aws.url), BODY)
    assert str(caught.value) == "AWS Lambda refused it (ResourceNotFoundException)"
    assert len(aws.requests) == 1, "the queue tries again, not the library"


async def test_a_function_that_fails_is_a_failure(aws: Lambda) -> None:
    aws.answer = web.Response(status=200, body=b"{}", headers={"X-Amz-Function-Error": "Unhandled"})
    async with invoker() as lambdas:
        with pytest.raises(PostError, match="the function failed"):
            await lambdas.invoke(Function("hooks", "us-east-1", "RequestResponse", None, aws.url), BODY)


async def test_silent_and_absent_functions_are_given_up(aws: Lambda) -> None:
    aws.hangs = True
    async with invoker(0.5) as lambdas:
        with pytest.raises(PostError, match=r"no answer within 0\.5 s"):
            await lambdas.invoke(Function("hooks", endpoint_url=aws.url), BODY)
        with pytest.raises(PostError, match="cannot be reached"):
            await lambdas.invoke(Function("hooks", endpoint_url="http://127.0.0.1:1"), BODY)


async def test_a_custom_endpoint_is_refused_where_private_addresses_are(aws: Lambda) -> None:
    async with invoker(allow_private=False) as lambdas:
        with pytest.raises(PostError, match=r"webhooks\.allow_private"):
            await lambdas.invoke(Function("hooks", endpoint_url=aws.url), BODY)
    assert aws.requests == []
