"""Waiting for the answers of other nodes."""

from __future__ import annotations

import asyncio

from sockudo.cluster.echoes import Echoes
from sockudo.timing.clock import LoopClock


async def test_it_is_over_when_every_node_has_answered_that_question() -> None:
    echoes, asked = Echoes(LoopClock(asyncio.get_running_loop())), list[int]()
    for _ in range(2):
        waiting = asyncio.create_task(echoes.all_heard(["a", "b"], asked.append))
        await asyncio.sleep(0)
        echoes.heard("a", asked[-1])
        echoes.heard("a", asked[-1])
        # The answer to another question, and of a node that was not asked.
        echoes.heard("b", asked[-1] - 1)
        echoes.heard("c", asked[-1])
        await asyncio.sleep(0.01)
        assert not waiting.done()
        echoes.heard("b", asked[-1])
        await asyncio.wait_for(waiting, 20)
    assert len(set(asked)) == 2


async def test_a_node_that_is_gone_is_not_waited_for() -> None:
    echoes = Echoes(LoopClock(asyncio.get_running_loop()))
    waiting = asyncio.create_task(echoes.all_heard(["a"], lambda question: None))
    await asyncio.sleep(0)
    echoes.forget("a")
    await asyncio.wait_for(waiting, 20)


async def test_messages_on_another_way_get_the_time_the_answers_took() -> None:
    loop = asyncio.get_running_loop()
    echoes, asked_at = Echoes(LoopClock(loop)), loop.time()
    waiting = asyncio.create_task(echoes.all_heard(["a"], lambda question: None))
    await asyncio.sleep(0.05)
    answered_at = loop.time()
    echoes.heard("a", 1)
    await asyncio.wait_for(waiting, 20)
    # Timers may fire early by the resolution of the clock.
    assert loop.time() - answered_at >= answered_at - asked_at - 0.01
