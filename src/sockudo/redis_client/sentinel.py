"""Finds the server of a target: the server of its URL, or the master that its sentinels name.

Strategy: the client asks all sentinels at once, so one that hangs holds up nothing. The majority wins, so a sentinel
that was cut off from the others cannot send the client to a former master again and again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from sockudo.errors import DriverError
from sockudo.redis_client.options import RedisTarget, RedisTiming, Sentinels
from sockudo.redis_client.server import RedisServer, ask, connect, server_of

Address = tuple[str, int]


async def find_server(target: RedisTarget, timing: RedisTiming) -> RedisServer:
    """Return the server of a target; with sentinels, the server that they call the master now.

    Raises:
        DriverError: no sentinel names a master, or the URL cannot be used.
    """
    server = server_of(target)
    if target.sentinels is None:
        return server
    host, port = await _ask_all(target.sentinels, target.setting, timing)
    return replace(server, host=host, port=port, path=None, must_be_master=True)


async def _ask_all(sentinels: Sentinels, setting: str, timing: RedisTiming) -> Address:
    votes: Counter[Address] = Counter()
    problems: list[str] = []
    questions = {asyncio.ensure_future(_ask_one(host, sentinels, setting, timing)) for host in sentinels.hosts}
    try:
        for answer in asyncio.as_completed(questions):
            try:
                address = await answer
            except DriverError as error:
                problems.append(str(error))
                continue
            votes[address] += 1
            if votes[address] > len(sentinels.hosts) // 2:
                return address
    finally:
        for question in questions:
            question.cancel()
        await asyncio.gather(*questions, return_exceptions=True)
    if votes:
        return votes.most_common(1)[0][0]
    raise DriverError("; ".join(problems))


async def _ask_one(host: Address, sentinels: Sentinels, setting: str, timing: RedisTiming) -> Address:
    """Ask one sentinel.

    Raises:
        DriverError: the sentinel cannot be reached, or knows no such master.
    """
    sentinel = RedisServer(*host, setting, username=sentinels.username, password=sentinels.password)
    connection = await connect(sentinel, timing)
    try:
        words = (b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", sentinels.master_name.encode())
        reply = await ask(connection, sentinel, *words)
    finally:
        await connection.abandon()
    if not isinstance(reply, list):
        raise sentinel.refusal(f"it knows no master called {sentinels.master_name}")
    return reply[0].decode(), int(reply[1])
