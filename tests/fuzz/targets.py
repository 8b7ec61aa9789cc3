"""Every target of the fuzzer, by name; `corpus/` has a folder of inputs for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.fuzz import bus_targets, client_targets

CORPUS: Final = Path(__file__).parent / "corpus"

TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "http": client_targets.http,
    "websocket": client_targets.websocket,
    "proxy_headers": client_targets.proxy_headers,
    "compression": client_targets.compression,
    "extensions": client_targets.extensions,
    "commands": client_targets.commands,
    "triggers": client_targets.triggers,
    "envelopes": bus_targets.envelopes,
    "broker_pieces": bus_targets.broker_pieces,
    "workers": bus_targets.workers,
    "brokers": bus_targets.brokers,
    "kafka_compressed": bus_targets.kafka_compressed,
}


def corpus(name: str) -> list[Path]:
    """Return the kept inputs of a target."""
    return sorted((CORPUS / name).iterdir())


def call(name: str, data: bytes) -> None:
    """Call a target with an input."""
    TARGETS[name](data)
