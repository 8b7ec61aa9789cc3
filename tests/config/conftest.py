"""Short ways to load settings from a document, variables and options."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol

import pytest

from sockudo.config.load import Loaded, load
from sockudo.errors import ConfigError

CHOICES: dict[str, dict[str, Any]] = {
    "adapter.redis.": {"adapter": {"driver": "redis"}},
    "adapter.cluster.": {"adapter": {"driver": "redis-cluster"}},
    "adapter.nats.": {"adapter": {"driver": "nats"}},
    "adapter.rabbitmq.": {"adapter": {"driver": "rabbitmq"}},
    "adapter.kafka.": {"adapter": {"driver": "kafka"}},
    "cache.redis.": {"cache": {"driver": "redis"}},
    "queue.redis.": {"queue": {"driver": "redis"}},
    "queue.redis_cluster.": {"queue": {"driver": "redis-cluster"}},
    "queue.sqs.": {"queue": {"driver": "sqs"}},
    "rate_limiter.redis.": {"rate_limiter": {"enabled": True, "driver": "redis"}},
    "database.redis.": {"cache": {"driver": "redis"}},
    "database.sqlite.": {"app_manager": {"driver": "sqlite"}},
    "database.mysql.": {"app_manager": {"driver": "mysql"}},
    "database.postgres.": {"app_manager": {"driver": "pgsql"}},
    "database.dynamodb.": {"app_manager": {"driver": "dynamodb"}},
    "database.scylladb.": {"app_manager": {"driver": "scylladb"}},
    "database_pooling.": {"app_manager": {"driver": "mysql"}},
}


class Load(Protocol):
    """Load settings; every source is optional."""

    def __call__(
        self, document: Any = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
    ) -> Loaded: ...


class Problems(Protocol):
    """Load settings that are wrong and return the problems."""

    def __call__(self, document: Any = None, environ: Mapping[str, str] | None = None) -> list[str]: ...


def document_with(path: str, value: Any) -> dict[str, Any]:
    """A document with one value at a dotted path, and with the driver that reads it."""
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return merged(choosing(path), value)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two documents as one; the second wins."""
    both = {
        key: merged(one[key], value) if isinstance(one.get(key), dict) and isinstance(value, dict) else value
        for key, value in other.items()
    }
    return one | both


def choosing(path: str) -> dict[str, Any]:
    """A document with the drivers that read a setting."""
    found = next((choice for prefix, choice in CHOICES.items() if f"{path}.".startswith(prefix)), None)
    return {} if found is None else deepcopy(found)


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
