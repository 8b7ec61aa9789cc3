"""`app_manager`: the store of the apps."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator
from pydantic_core import InitErrorDetails

from sockudo.config.kinds.rules import check_with_rules, rule_broken
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, NullAsEmpty, OneOf
from sockudo.config.sections.app import AppSettings

# The places in this section that list apps, in the order in which they are joined.
APP_LISTS: tuple[tuple[str, ...], ...] = (("array", "apps"), ("apps",))

_STORES: Final = ("memory", "sqlite", "mysql", "pgsql", "dynamodb", "scylladb")
_SPELLINGS: Final = (("postgres", "pgsql"), ("postgresql", "pgsql"), ("scylla", "scylladb"))

AppList = Annotated[tuple[AppSettings, ...], NullAsEmpty()]


class AppArraySettings(Section):
    """The apps of the configuration; with the memory driver there are no others."""

    apps: AppList = Field(
        default=(),
        description="The apps; see the table of an app's settings. A start of the server writes them into a database.",
    )


class AppCacheSettings(Section):
    """The cache in front of an app manager whose apps are in a database."""

    enabled: Annotated[Flag, env("APP_MANAGER_CACHE_ENABLED")] = Field(
        default=True, description="Whether apps are cached. The memory driver needs no cache."
    )
    ttl: Annotated[Count, env("CACHE_TTL_SECONDS", "APP_MANAGER_CACHE_TTL")] = Field(
        default=300, description="How long an app is cached (seconds); 0 switches the cache off."
    )


class AppManagerSettings(Section):
    """The store of the apps."""

    driver: Annotated[
        Literal["memory", "sqlite", "mysql", "pgsql", "dynamodb", "scylladb"],
        OneOf(_STORES, spellings=_SPELLINGS),
        env("APP_MANAGER_DRIVER"),
    ] = Field(
        default="memory",
        description="Which store holds the apps. Also postgres or postgresql for pgsql, scylla for scylladb. "
        "sqlite is not a driver of the original.",
    )
    array: AppArraySettings = Field(default_factory=AppArraySettings, description="Apps.")
    apps: AppList = Field(default=(), description="Another place for apps; joined with app_manager.array.apps.")
    cache: AppCacheSettings = Field(default_factory=AppCacheSettings, description="The cache in front of a database.")

    @model_validator(mode="wrap")
    @classmethod
    def _apps_are_distinct(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return check_with_rules(cls.__name__, data, handler, _repeated(data))


def _repeated(section: Any) -> list[InitErrorDetails]:
    """Find apps that share an id or a key; works on the raw section, so that errors show it beside other problems."""
    problems = []
    first: dict[tuple[str, str], str] = {}
    for place, index, app in listed_apps(section):
        here = f"app_manager.{'.'.join(place)}[{index}]"
        for name in ("id", "key"):
            value = app.get(name) if isinstance(app, dict) else getattr(app, name, None)
            if not isinstance(value, str) or not value.strip():
                continue
            earlier = first.setdefault((name, value), here)
            if earlier != here:
                problems.append(rule_broken((*place, index, name), f"is also the {name} of {earlier}"))
    return problems


def listed_apps(section: Any) -> list[tuple[tuple[str, ...], int, Any]]:
    """Return every app of a raw `app_manager` section, with its place and its index there."""
    found = []
    for place in APP_LISTS:
        apps = section
        for name in place:
            apps = apps.get(name) if isinstance(apps, dict) else getattr(apps, name, None)
        if isinstance(apps, (list, tuple)):
            found += [(place, index, app) for index, app in enumerate(apps)]
    return found
