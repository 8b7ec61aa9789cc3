"""Scrapes of `/metrics`, read line by line: the parser of Prometheus' Python library renames some counters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.clients.client import Answer, http

_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)')


@dataclass(frozen=True)
class Scrape:
    """The samples and the types of one scrape."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]
    text: str

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with these labels, and perhaps others."""
        return sum(
            value
            for (one, found), value in self.samples.items()
            if one == name and labels.items() <= dict(found).items()
        )

    def names(self) -> set[str]:
        """Return the names of all samples."""
        return {name for name, _ in self.samples}

    def type_of(self, name: str) -> str:
        """Return the type that the text names."""
        (found,) = (line for line in self.text.splitlines() if line.startswith(f"# TYPE {name} "))
        return found.rpartition(" ")[2]


async def ask(port: int, method: str = "GET", path: str = "/metrics", token: str | None = None) -> Answer:
    """Make one request on the metrics port."""
    return await http(port, method, path, headers=None if token is None else {"Authorization": f"Bearer {token}"})


async def scrape(port: int, token: str | None = None) -> Scrape:
    """Return the figures of this moment."""
    answer = await ask(port, token=token)
    assert answer.status == 200, answer
    return parsed(answer.body.decode())


def parsed(text: str) -> Scrape:
    """Return what an exposition says; each sample is there once."""
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            found = _SAMPLE.fullmatch(line)
            assert found is not None, line
            key = found[1], frozenset(_LABEL.findall(found[2] or ""))
            assert key not in samples, key
            samples[key] = float(found[3])
    return Scrape(samples, text)
