"""`logging`, and the environment variables that set the level of the log.

The filters have the syntax of the original (`info,sockudo=debug`). Only directives without a target and those for
`sockudo` count; directives for other targets are accepted and have no effect.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, cast

from pydantic import Field

from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Check, Flag, OneOf

Level = Literal["off", "error", "warn", "info", "debug", "trace"]
LEVELS: Final[tuple[Level, ...]] = ("off", "error", "warn", "info", "debug", "trace")
_FOR_PEOPLE: Final = (("text", "human"), ("pretty", "human"), ("plain", "human"))
_DIRECTIVE: Final = re.compile(r"[^=\s]*=(\w+)|[^=\s]+|")


class LogFilter(Check):
    """A filter such as `info,sockudo=debug`."""

    __slots__ = ()

    @property
    def expected(self) -> str:
        return f'a filter such as "info,sockudo=debug" with the levels {", ".join(LEVELS)}'

    @property
    def type_name(self) -> str:
        return "filter"

    def check(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refuse()
        if "[" in value:  # a filter on spans, which can only be meant for another program
            return value
        for directive in value.split(","):
            match = _DIRECTIVE.fullmatch(directive.strip())
            if match is None or (match[1] and match[1].lower() not in LEVELS):
                raise self.refuse()
        return value


def level_of(log_filter: str) -> Level:
    """Return the level of a filter for this server: the one for `sockudo`, else the one for everything, else `info`."""
    general = own = None
    for directive in log_filter.lower().replace(" ", "").split(","):
        target, equals, level = directive.rpartition("=")
        if not equals and level in LEVELS:
            general = level
        elif not equals and level == "sockudo":
            own = "trace"
        elif target == "sockudo" and level in LEVELS:
            own = level
    return cast(Level, own or general or "info")


class LoggingSettings(Section):
    """The format and the level of the log."""

    colors_enabled: Annotated[Flag, env("LOG_COLORS_ENABLED")] = Field(
        default=True, description="Whether log lines on a terminal have colours."
    )
    include_target: Annotated[Flag, env("LOG_INCLUDE_TARGET")] = Field(
        default=True, description="Whether log lines name the part of the server they come from."
    )
    output_format: Annotated[
        Literal["human", "json"],
        OneOf(("human", "json"), spellings=_FOR_PEOPLE),
        env("LOG_OUTPUT_FORMAT", "LOG_FORMAT", file=False),
    ] = Field(
        default="human",
        description="Lines for people, or one JSON object a line. Also text, pretty or plain for human.",
    )
    rust_log: Annotated[str | None, LogFilter(), env("RUST_LOG", file=False)] = Field(
        default=None, description="Filter for log lines; wins over the three settings below."
    )
    level: Annotated[
        Literal["error", "warn", "warning", "info", "debug", "trace"] | None,
        OneOf(("error", "warn", "warning", "info", "debug", "trace"), null=True),
        env("LOG_LEVEL", file=False),
    ] = Field(default=None, description="Lowest level to log; wins over the two settings below.")
    debug_filter: Annotated[str, LogFilter(), env("SOCKUDO_LOG_DEBUG", file=False)] = Field(
        default="info,sockudo=debug,tower_http=debug", description="Filter for log lines while debug is on."
    )
    production_filter: Annotated[str, LogFilter(), env("SOCKUDO_LOG_PROD", file=False)] = Field(
        default="info", description="Filter for log lines while debug is off."
    )

    def effective_level(self, *, debug: bool) -> Level:
        """Return the level that follows from all these settings."""
        by_mode = self.debug_filter if debug else self.production_filter
        name = self.rust_log or self.level or by_mode
        return "warn" if name == "warning" else level_of(name)
