"""Makes wrong values warnings in the sections of drivers that are not in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, Final

from sockudo.config.problems import Location

_REDIS: Final = ("redis", "redis-cluster")
# What chooses, and which sections each choice uses.
_CHOICES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "adapter": {
        "redis": ("redis",),
        "cluster": _REDIS,
        "nats": ("nats",),
        "rabbitmq": ("rabbitmq",),
        "kafka": ("kafka",),
    },
    "cache": {"redis": _REDIS},
    "queue": {"redis": _REDIS, "redis_cluster": _REDIS, "sqs": ("sqs",)},
    "rate_limiter": {"redis": _REDIS},
}
_DATABASES: Final[Mapping[str, tuple[str, ...]]] = {
    "sqlite": ("sqlite",),
    "mysql": ("mysql",),
    "postgres": ("pgsql", "postgres", "postgresql"),
    "dynamodb": ("dynamodb",),
    "scylladb": ("scylladb", "scylla"),
}
_DEFAULTS: Final = {"adapter": "local", "cache": "memory", "queue": "memory", "rate_limiter": "memory"}
_STORES: Final = tuple(name for names in _DATABASES.values() for name in names)
_KNOWN: Final = frozenset(("local", "memory", "none", "sqs", "nats", "rabbitmq", "kafka", *_REDIS, *_STORES))


def unused_sections(document: Mapping[str, Any]) -> tuple[Location, ...]:
    """Return the places of sections that no driver of a raw configuration reads."""
    return tuple(_unused(document))


def is_unused(location: Location, sections: tuple[Location, ...]) -> bool:
    """Tell whether a place is in a section that nothing reads."""
    return any(location[: len(section)] == section for section in sections)


def drop(document: dict[str, Any], location: Location) -> bool:
    """Remove what is at a place, or the whole list that the place is in; tell whether there was anything."""
    section: Any = document
    for part, following in zip(location, [*location[1:], None], strict=True):
        if not isinstance(section, dict) or part not in section:
            return False
        if following is None or not isinstance(section[part], dict) or following not in section[part]:
            del section[part]
            return True
        section = section[part]
    return False


def _unused(document: Mapping[str, Any]) -> Iterator[Location]:
    chosen = {part: _driver(document, part, default) for part, default in _DEFAULTS.items()}
    if _at(document, "rate_limiter", "enabled") in (None, False):
        chosen["rate_limiter"] = "none"
    for part, sections in _CHOICES.items():
        driver = chosen[part]
        yield from ((part, name) for name, drivers in sections.items() if driver not in (*drivers, None))
    store = _driver(document, "app_manager", "memory")
    yield from (("database", name) for name, drivers in _DATABASES.items() if store not in (*drivers, None))
    if not any(driver in (*_REDIS, None) for driver in chosen.values()):
        yield ("database", "redis")
    if store is not None and store not in ("mysql", *_DATABASES["postgres"]):
        yield ("database_pooling",)


def _driver(document: Mapping[str, Any], part: str, default: str) -> str | None:
    """The driver of a part, or None where it is wrong, so that it may be any."""
    value = _at(document, part, "driver")
    if value is None:
        return default
    name = value.lower() if isinstance(value, str) else ""
    return name if name in _KNOWN else None


def _at(document: Mapping[str, Any], *path: str) -> Any:
    def inside(section: Any, name: str) -> Any:
        return section.get(name) if isinstance(section, Mapping) else None

    return reduce(inside, path, document)
