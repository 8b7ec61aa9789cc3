"""A database of apps that does what a test wants: it can be slow, and it can be gone."""

from __future__ import annotations

import asyncio

from sockudo.apps.database.record import Record
from sockudo.apps.database.store import AppExistsError, Migration
from sockudo.errors import DriverError


class FakeAppStore:
    """An `AppStore` in memory.

    Attributes:
        asked: what was asked, in order: `id app`, `key app-key`, `any`.
        is_gone: every question fails.
        is_slow: questions wait for `answer`; they are answered with what there was when they were asked.
    """

    def __init__(self, *records: Record) -> None:
        self.largest_count: int | None = None
        self.records: dict[str, Record] = {record["id"]: record for record in records}
        self.asked: list[str] = []
        self.is_gone = False
        self.is_slow = False
        self.is_closed = False
        self.to_make: Migration | None = None
        self._waiting: list[asyncio.Event] = []

    @property
    def waiting(self) -> int:
        """How many questions wait for an answer."""
        return len(self._waiting)

    def answer(self) -> None:
        """Answer what was asked until now."""
        waiting, self._waiting = self._waiting, []
        for question in waiting:
            question.set()

    async def start(self) -> None:
        await self._ask("start")

    async def migrate(self) -> Migration:
        made, self.to_make = self.to_make, None
        return made or Migration()

    async def find_by_id(self, app_id: str) -> Record | None:
        found = self.records.get(app_id)
        await self._ask(f"id {app_id}")
        return None if found is None else dict(found)

    async def find_by_key(self, key: str) -> Record | None:
        found = next((record for record in self.records.values() if record["key"] == key), None)
        await self._ask(f"key {key}")
        return None if found is None else dict(found)

    async def all(self) -> list[Record]:
        return [dict(record) for record in self.records.values()]

    async def create(self, record: Record) -> None:
        if record["id"] in self.records:
            raise AppExistsError(f"there is an app with the id {record['id']} already")
        self.records[record["id"]] = dict(record)

    async def update(self, record: Record) -> bool:
        is_there = record["id"] in self.records
        if is_there:
            self.records[record["id"]] = dict(record)
        return is_there

    async def delete(self, app_id: str) -> bool:
        return self.records.pop(app_id, None) is not None

    async def has_any(self) -> bool:
        await self._ask("any")
        return bool(self.records)

    async def aclose(self) -> None:
        self.is_closed = True

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        is_gone = self.is_gone
        if self.is_slow:
            question = asyncio.Event()
            self._waiting.append(question)
            await question.wait()
        if is_gone:
            raise DriverError("fake database cannot be used")
