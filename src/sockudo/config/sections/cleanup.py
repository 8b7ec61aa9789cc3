"""`cleanup`: settings of the original about disconnects; checked, without effect."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator
from pydantic_core import PydanticCustomError

from sockudo.config.kinds.rules import check_with_rules, rule_broken
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, Positive, Whole, WorkerCount

_NO_EFFECT: Final = "Checked as the original does, and without effect: this server cleans up a disconnect at once."


class CleanupSettings(Section):
    """Accepted and without effect: a connection that ends has left its channels before anything else happens."""

    async_enabled: Annotated[Flag, env("CLEANUP_ASYNC_ENABLED")] = Field(default=True, description=_NO_EFFECT)
    fallback_to_sync: Annotated[Flag, env("CLEANUP_FALLBACK_TO_SYNC")] = Field(default=True, description=_NO_EFFECT)
    queue_buffer_size: Annotated[Positive, env("CLEANUP_QUEUE_BUFFER_SIZE")] = Field(
        default=50_000, description=_NO_EFFECT
    )
    batch_size: Annotated[Positive, env("CLEANUP_BATCH_SIZE")] = Field(default=25, description=_NO_EFFECT)
    batch_timeout_ms: Annotated[int, Whole(1, 60_000), env("CLEANUP_BATCH_TIMEOUT_MS")] = Field(
        default=50, description=_NO_EFFECT
    )
    worker_threads: Annotated[int | Literal["auto"], WorkerCount(), env("CLEANUP_WORKER_THREADS")] = Field(
        default="auto", description=_NO_EFFECT
    )
    max_retry_attempts: Annotated[Count, env("CLEANUP_MAX_RETRY_ATTEMPTS")] = Field(default=2, description=_NO_EFFECT)

    @model_validator(mode="wrap")
    @classmethod
    def _is_consistent(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        broken = []
        if isinstance(data, dict):
            if data.get("async_enabled") is False and data.get("fallback_to_sync") is False:
                broken.append(rule_broken(("fallback_to_sync",), "must be true while async_enabled is false"))
            buffer, batch = _number(data, "queue_buffer_size"), _number(data, "batch_size")
            if buffer is not None and batch is not None and buffer < batch:
                broken.append(rule_broken(("queue_buffer_size",), "must be at least batch_size"))
        return check_with_rules(cls.__name__, data, handler, broken)


def _number(section: dict[str, Any], name: str) -> int | None:
    """Return a size as the section reads it; None for an invalid one."""
    value = section.get(name, CleanupSettings.model_fields[name].default)
    try:
        return Whole(1).check(value)
    except PydanticCustomError:
        return None
