"""Chooses what makes the parts of a server: plain ones, or traced ones."""

from __future__ import annotations

from importlib import import_module

from sockudo import __version__
from sockudo.assembly.makers.plain import PLAIN, Makers
from sockudo.config.model import Settings
from sockudo.errors import MissingExtraError


def makers_from_settings(settings: Settings) -> Makers:
    """Return what makes the parts that the settings ask for.

    Raises:
        ConfigError: the environment asks for an exporter that there is not.
        MissingExtraError: spans are asked for, and OpenTelemetry is not installed.
    """
    if not settings.tracing.enabled:
        return PLAIN
    try:
        # Only who wants spans waits for the library.
        exporting = import_module("sockudo.tracing.otel").exporting
    except ModuleNotFoundError as missing:
        library = (missing.name or "").replace(".", "-")
        raise MissingExtraError(f"tracing.enabled needs {library}: pip install 'sockudo[otel]'") from missing
    makers: Makers = import_module("sockudo.assembly.makers.traced").TracedMakers(exporting(__version__))
    return makers
