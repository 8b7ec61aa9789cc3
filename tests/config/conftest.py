"""Short ways to load settings from a document, variables and options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from sockudo.config.load import Loaded, load
from sockudo.errors import ConfigError


class Load(Protocol):
    """Load settings; every source is optional."""

    def __call__(
        self, document: Any = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
    ) -> Loaded: ...


class Problems(Protocol):
    """Load settings that are wrong and return the problems."""

    def __call__(self, document: Any = None, environ: Mapping[str, str] | None = None) -> list[str]: ...


def document_with(path: str, value: Any) -> dict[str, Any]:
    """A document with one value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


@pytest.fixture
def load_document(tmp_path: Path) -> Load:
    def run(
        document: Any = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
    ) -> Loaded:
        path = None
        if document is not None:
            path = tmp_path / "given.json"
            path.write_text(json.dumps(document), encoding="utf-8")
        return load(path, environ or {}, flags or {}, tmp_path)

    return run


@pytest.fixture
def problems_of(load_document: Load) -> Problems:
    def run(document: Any = None, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_document(document, environ)
        return caught.value.problems

    return run
