from __future__ import annotations

import asyncio
import contextlib

from sockudo.webhooks.delivery.request_slots import QUICK, NoRequestError, RequestSlots
from tests.fakes.clock import FakeClock


async def ticks(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Requests:
    """Requests that run until they are told to end."""

    def __init__(self, slots: RequestSlots) -> None:
        self._slots = slots
        self.running: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def begin(self, *endpoints: str) -> None:
        for endpoint in endpoints:
            self._ends[endpoint] = asyncio.Event()
            self._tasks[endpoint] = asyncio.create_task(self._run(endpoint))
        await ticks()

    async def end(self, *endpoints: str) -> None:
        for endpoint in endpoints:
            self._ends[endpoint].set()
            await self._tasks.pop(endpoint)
        await ticks()

    async def aclose(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, endpoint: str) -> None:
        async with self._slots.slot(endpoint):
            self.running.append(endpoint)
            try:
                await self._ends[endpoint].wait()
            finally:
                self.running.remove(endpoint)


async def test_so_many_run_at_once_and_the_others_wait() -> None:
    requests = Requests(RequestSlots(2, FakeClock()))
    await requests.begin("a", "b", "c")
    assert requests.running == ["a", "b"]
    await requests.end("a")
    assert requests.running == ["b", "c"]
    await requests.aclose()


async def test_a_request_found_slow_gives_its_slot_back_once() -> None:
    clock = FakeClock()
    requests = Requests(RequestSlots(1, clock))
    await requests.begin("slow", "a", "b")
    assert requests.running == ["slow"]
    clock.advance(QUICK)
    await ticks()
    assert requests.running == ["slow", "a"]
    await requests.end("slow")
    assert requests.running == ["a"], "its slot was given back before"
    await requests.aclose()


async def test_slow_endpoints_have_slots_of_their_own_until_quick_again() -> None:
    clock = FakeClock()
    requests = Requests(RequestSlots(1, clock))
    slow = [f"slow{number}" for number in range(6)]
    for name in slow:
        await requests.begin(name)
        clock.advance(QUICK + 1)
        await ticks()
    await requests.end(*slow)
    await requests.begin("a", *slow)
    assert requests.running == ["a", *slow[:4]]
    await requests.end("slow0", "a")
    await requests.begin("slow0", "a")
    assert "slow0" in requests.running
    assert "a" not in requests.running, "the one slot for the quick is taken by one that was quick the last time"
    await requests.aclose()


async def test_silent_endpoints_take_no_slots_of_late_ones() -> None:
    clock = FakeClock()
    slots = RequestSlots(1, clock)
    requests, dead = Requests(slots), [f"dead{number}" for number in range(9)]
    for name in dead:
        with contextlib.suppress(TimeoutError):
            async with slots.slot(name):
                clock.advance(QUICK + 1)
                raise TimeoutError
    await requests.begin("late")
    clock.advance(QUICK + 1)
    await requests.end("late")
    await requests.begin(*dead, "late")
    assert requests.running == [*dead[:4], "late"]
    # It answers at last, late as it is.
    clock.advance(QUICK + 1)
    await requests.end("dead0", *dead[1:4])
    await requests.begin("dead0")
    assert requests.running == ["late", *dead[4:8], "dead0"]
    await requests.aclose()


async def test_a_slot_without_a_request_says_nothing_of_the_endpoint() -> None:
    clock = FakeClock()
    slots = RequestSlots(1, clock)
    requests = Requests(slots)
    await requests.begin("late")
    clock.advance(QUICK + 1)
    await requests.end("late")
    with contextlib.suppress(NoRequestError):
        async with slots.slot("late"):
            raise NoRequestError
    await requests.begin("late", "quick")
    assert requests.running == ["late", "quick"]
    await requests.aclose()


async def test_a_request_that_is_cancelled_gives_its_slot_back() -> None:
    slots = RequestSlots(1, FakeClock())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0), slots.slot("a"):
            await asyncio.sleep(10)
    async with asyncio.timeout(1), slots.slot("b"):
        pass
