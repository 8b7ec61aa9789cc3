"""Requests with a large body: their head is checked, and accepted or refused, before the body is read."""

from __future__ import annotations

from functools import partial

from sockudo.api.messages import Accepted, Request, RequestHead, Response
from sockudo.eventual import Future
from sockudo.server.http import refusals
from sockudo.server.http.answers import CONTINUE
from sockudo.server.http.upload import Upload
from sockudo.server.http.writer import HttpWriter
from sockudo.server.timeouts import BODY_TIMEOUT


class LargeRequests(HttpWriter):
    """A writing half that can answer the head of a request, and its whole later."""

    __slots__ = ()

    def _answer(self, request: Request | Upload | Response, keep_alive: bool) -> None:
        if isinstance(request, Request):
            # hot path
            self._respond(self._service.handle(request), request.method, keep_alive)
        elif isinstance(request, Response):
            self._refuse(request)
        else:
            self._check(request)

    def _announce(self, *, expects: bool) -> Upload:
        bodies = self._service.bodies
        upload = self._upload = Upload(self._request(RequestHead), bodies, self._declared, expects=expects)
        if not self._must_wait():
            self._check(upload)
        return upload

    def _check(self, upload: Upload) -> None:
        """Ask whether a body may come."""
        upload.is_checked = True
        response = self._service.handle(upload.request)
        if isinstance(response, Response):
            self._decide(upload, response)
        else:
            self._is_answering = True
            self._send_behind_bus()
            self._transport.pause_reading()
            response.add_done_callback(partial(self._checked, upload))

    def _checked(self, upload: Upload, done: Future[Response]) -> None:
        self._is_answering = False
        if done.cancelled():
            self._transport.abort()
        elif not self._transport.is_closing():
            self._decide(upload, done.result())
            self._send_behind_bus()
            self._go_on()

    def _decide(self, upload: Upload, response: Response) -> None:
        """Let a body come, or refuse its request: the body is not read, so that the socket ends."""
        if isinstance(response, Accepted):
            if upload.accept(response):
                self._await_body(upload)
                return
            response, is_noted = response.final(refusals.too_many_bodies(upload.limit)), False
        else:
            is_noted = True
        if self._waiting:
            # They came behind it.
            self._waiting.clear()
        self._refuse(response, head_only=upload.request.method == "HEAD", is_noted=is_noted)

    def _await_body(self, upload: Upload) -> None:
        if upload.is_complete:
            self._respond(upload.finish(), upload.request.method, upload.keep_alive)
            return
        self._expire_in(BODY_TIMEOUT)
        if upload.expects:
            self._out.append(CONTINUE)

    def _complete(self, upload: Upload, keep_alive: bool) -> None:
        upload.complete(bytes(self._body), keep_alive=keep_alive)
        if upload.is_accepted:
            self._respond(upload.finish(), upload.request.method, keep_alive)
        elif not upload.is_checked:
            self._put_off(upload, keep_alive)
