"""Fails a test in whose time a secret came into the log: of a server in this process, or of one that a test started.

Whoever starts a server says which secrets its configuration has (`use`), and what its processes wrote (`wrote`). What
loggers of this process are given is taken as the line would have it, whatever the level. Secrets are remembered for the
whole run, so a line that comes late is found out too. Each process of pytest-xdist does this for its own tests.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from sockudo import log
from sockudo.log_lines import protect

# Names of settings that hold a secret, as whole words.
_SECRET: Final = re.compile(r"(^|_)(secret|password|token|passphrase|nkey_seed|session_token)$|^aws_secret_access_key$")
# A shorter text is found in lines that say something else.
_SHORTEST: Final = 6
_USER_INFO: Final = re.compile(r"\w+://[^/@:\s]*:([^/@\s]+)@")
# What the documentation itself shows to everybody.
_PUBLIC: Final = frozenset({"guest", "password", "secret"})
# The banner shows the demo app, whose secret is public, as what to try next. Many tests have an app with this secret.
_DEMO: Final = 'app_id="1", key="app-key", secret="app-secret"'


class LoggedSecrets:
    """What was logged in the time of the test that runs now, and the secrets of the whole run."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self._texts: list[str] = []

    def use(self, document: object, name: str = "") -> None:
        """Remember the secrets of a configuration."""
        match document:
            case Mapping():
                for key, value in document.items():
                    self.use(value, str(key))
            case list() | tuple():
                for value in document:
                    self.use(value, name)
            case str():
                found = _USER_INFO.findall(document)
                if _SECRET.search(name.lower()):
                    found.append(document)
                self.secrets.update(one for one in found if len(one) >= _SHORTEST and one not in _PUBLIC)

    def wrote(self, text: str) -> None:
        """Take what a server has written."""
        self._texts.append(text.replace(_DEMO, ""))

    def found(self) -> list[str]:
        """Return the texts since the last call that have a secret in them."""
        texts, self._texts = self._texts, []
        return [text for text in texts if any(secret in text for secret in self.secrets)]


LOGGED: Final = LoggedSecrets()
"""Of this process."""


def _watched(write: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a logger that also hands the line over, as it would be written."""

    def watched(*arguments: Any, **fields: Any) -> Any:
        failure = fields.get("exc_info")
        shown = protect({name: value for name, value in fields.items() if name != "exc_info"})
        for value in (*arguments, *shown.values()):
            # The line of a value that cannot be shown is not written.
            with contextlib.suppress(Exception):
                LOGGED.wrote(repr(value))
        if isinstance(failure, BaseException):
            LOGGED.wrote("".join(traceback.format_exception(failure)))
        return write(*arguments, **fields)

    return watched


@pytest.fixture(autouse=True)
def _no_secret_is_logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    original = log._LaterLogger.__getattr__

    def watching(logger: Any, name: str) -> Any:
        form = log._State.form
        method = original(logger, name)
        # Where lines have their place in the code, it must not be that of this file.
        return method if form is not None and form.debug else _watched(method)

    monkeypatch.setattr(log._LaterLogger, "__getattr__", watching)
    yield
    found = LOGGED.found()
    assert not found, f"secrets are in the log: {found}"
