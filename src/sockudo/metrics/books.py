"""Keeps the counters of all workers of a machine, so that no counter goes back when a worker is replaced or dies.

Strategy: each answer to a scrape is written into a ledger, which every worker gets a copy of before the answer leaves.
A worker that ends in order tells the others its last figures. Whichever worker answers the next scrape therefore knows
at least what the last one has shown, and counts each worker once, by its serial number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from sockudo.metrics.figures import Figures, added
from sockudo.timing.slices import Steps


class Ledger(msgspec.Struct):
    """What the last scrape has shown.

    Attributes:
        number: of the scrape; of two ledgers the one with the larger number is newer.
        departed: the counters of all workers that are gone.
        departed_serials: their serial numbers.
        last: the counters of each other worker.
    """

    number: int = 0
    departed: Figures = msgspec.field(default_factory=Figures)
    departed_serials: set[int] = msgspec.field(default_factory=set)
    last: dict[int, Figures] = msgspec.field(default_factory=dict)


class Known(msgspec.Struct):
    """What one worker tells another.

    Attributes:
        ledger: None where the other has it already.
        farewells: the last figures of workers that have ended, by serial number.
        figures: its own of this moment, where it was asked for them.
    """

    ledger: Ledger | None
    farewells: dict[int, Figures]
    figures: Figures | None = None


class Books:
    """What one worker knows of the figures of all."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._farewells: dict[int, Figures] = {}

    @property
    def number(self) -> int:
        """The number of the last scrape that this worker knows of."""
        return self._ledger.number

    def known(self, figures: Figures | None = None, since: int = -1) -> Known:
        """Return what another worker is told that knows of scrapes up to the number `since`."""
        return Known(self._ledger if self._ledger.number > since else None, self._farewells, figures)

    def learn(self, known: Known) -> None:
        """Take what another worker tells."""
        if known.ledger is not None and known.ledger.number > self._ledger.number:
            self._ledger = known.ledger
        self._farewells = {**self._farewells, **known.farewells}
        self._drop_old_farewells()

    def take_leave(self, serial: int, figures: Figures) -> None:
        """Note the last figures of a worker."""
        # Another dict: what is told to a worker in slices may be this one.
        self._farewells = {**self._farewells, serial: figures.counters()}

    def settle(self, answers: Mapping[int, Figures], silent: Collection[int]) -> Steps[Figures]:
        """Add up the figures of all workers, and write them down.

        News that come meanwhile count: those of another scrape at once, those of a worker that leaves in the next one.

        Args:
            answers: of each worker that has answered.
            silent: workers that are there, and have not.
        """
        while True:
            ledger = self._ledger
            gone = self._gone(ledger, answers, silent)
            departed = yield from added([ledger.departed, *gone.values()])
            unheard = {serial: ledger.last[serial] for serial in silent if serial in ledger.last and serial not in gone}
            whole = yield from added([departed, *unheard.values(), *answers.values()])
            if self._ledger is ledger:
                break
        present = {serial: figures.counters() for serial, figures in answers.items()}
        self._ledger = Ledger(
            ledger.number + 1, departed, ledger.departed_serials | gone.keys(), {**unheard, **present}
        )
        self._drop_old_farewells()
        return whole

    def _gone(self, ledger: Ledger, answers: Mapping[int, Figures], silent: Collection[int]) -> dict[int, Figures]:
        """Return the last figures of the workers that have ended since the last scrape."""
        departing = dict(self._farewells)
        for serial, last in ledger.last.items():
            if serial not in answers and serial not in silent:
                departing.setdefault(serial, last)
        departed = ledger.departed_serials
        return {serial: last for serial, last in departing.items() if serial not in answers and serial not in departed}

    def _drop_old_farewells(self) -> None:
        departed = self._ledger.departed_serials
        self._farewells = {serial: last for serial, last in self._farewells.items() if serial not in departed}
