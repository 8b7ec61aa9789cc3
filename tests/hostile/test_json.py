"""JSON that is deep, huge, broken or in a wrong encoding, wherever a peer may put it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.attack import Attacker, Bystander, Target
from tests.clients.client import ApiClient, PusherClient, signature
from tests.clients.frames import BINARY, TEXT, masked_frame
from tests.clients.raw import RawWebSocket
from tests.servers.server import KEY

DEPTH = 50_000

# Values as JSON text; some are none.
BOMBS = {
    "brackets": b"[" * DEPTH,
    "closed brackets": b"[" * 20_000 + b"]" * 20_000,
    "objects": b'{"a":' * 9000,
    "closed objects": b'{"a":' * 6000 + b"1" + b"}" * 6000,
    "as deep as is taken": b"[" * 900 + b"]" * 900,
    "huge exponent": b"1e999999",
    "tiny exponent": b"1e-999999",
    "huge negative": b"-1e999999",
    "integer of 60 000 digits": b"1" * 60_000,
    "integer of 5000 digits": b"-" + b"9" * 5000,
    "integer of 30 digits": b"1" * 30,
    "fraction of 60 000 digits": b"0." + b"3" * 60_000,
    "leading zeros": b"0001",
    "lone high surrogate": b'"\\ud800"',
    "lone low surrogate": b'"\\udc00"',
    "surrogates in the wrong order": b'"\\udc00\\ud800"',
    "escaped NUL": b'"\\u0000"',
    "raw NUL": b'"\0"',
    "raw newline": b'"\n"',
    "bad escape": b'"\\x41"',
    "not UTF-8": b'"\xff"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "encoded surrogate": b'"\xed\xa0\x80"',
    "key not UTF-8": b'{"\xff":1}',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "comment": b"1/*x*/",
    "nothing": b"",
    "two values": b"1,2",
    "duplicate keys": b'{"a":1,"a":2,"a":{"a":3}}',
    "key of 50 KB": b'{"%b":1}' % (b"k" * 50_000),
    "unterminated": b'"abc',
    "BOM": b"\xef\xbb\xbf1",
}


def as_string(text: bytes) -> bytes:
    """Return JSON text inside a JSON string, byte for byte as far as that can be."""
    return json.dumps(text.decode("latin-1")).encode()


FRAMES = {
    "frame": b"%b",
    "event": b'{"event":%b}',
    "unknown field": b'{"event":"pusher:ping","more":%b}',
    "subscribe": b'{"event":"pusher:subscribe","data":%b}',
    "subscribe channel": b'{"event":"pusher:subscribe","data":{"channel":%b}}',
    "subscribe channel_data": b'{"event":"pusher:subscribe","data":{"channel":"presence-x","channel_data":%b}}',
    "unsubscribe": b'{"event":"pusher:unsubscribe","data":%b}',
    "signin": b'{"event":"pusher:signin","data":%b}',
    "signin user_data": b'{"event":"pusher:signin","data":{"auth":"x","user_data":%b}}',
    "client event data": b'{"event":"client-x","channel":"private-json","data":%b}',
    "client event channel": b'{"event":"client-x","channel":%b,"data":1}',
}


async def still_answers(client: PusherClient) -> None:
    """Check that a client may go on; what is refused comes before."""
    await client.send({"event": "pusher:ping", "data": {}})
    while (frame := await client.receive())["event"] != "pusher:pong":
        assert frame["event"] in ("pusher:error", "pusher:subscription_error"), frame
        assert len(json.dumps(frame)) < 600, frame


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_bomb_in_a_frame_costs_only_its_sender_anything(bomb: str, target: Target, witness: Bystander) -> None:
    value = BOMBS[bomb]
    is_text = is_utf8(value)
    async with RawWebSocket(target.port) as subscriber, RawWebSocket(target.port) as sender:
        for socket in (subscriber, sender):
            await join(socket, "private-json")
        for template in FRAMES.values():
            for text in (value, as_string(value)):
                payload = template.replace(b"%b", text)
                if len(payload) > 64 * 1024:
                    continue
                await sender.write(masked_frame(TEXT if is_text else BINARY, payload))
                await sender.write(masked_frame(BINARY, payload))
        await sender.write(masked_frame(TEXT, b'{"event":"pusher:ping"}'))
        while (frame := await sender.event())["event"] != "pusher:pong":
            assert frame["event"] in ("pusher:error", "pusher:subscription_error"), frame
            assert len(json.dumps(frame)) < 700, frame
        await subscriber.write(masked_frame(TEXT, b'{"event":"pusher:ping"}'))
        while True:
            opcode, data = await subscriber.frame()
            assert opcode == TEXT
            # Valid JSON in UTF-8, though its numbers may be more than Python takes.
            event = json.loads(data.decode(), parse_int=str, parse_float=str)
            if event["event"] == "pusher:pong":
                break
            assert event["event"] == "client-x"


async def join(socket: RawWebSocket, channel: str) -> None:
    """Open a socket and subscribe it to a private channel."""
    socket_id = json.loads((await socket.open())["data"])["socket_id"]
    data = {"channel": channel, "auth": f"{KEY}:{signature(f'{socket_id}:{channel}')}"}
    await socket.write(masked_frame(TEXT, json.dumps({"event": "pusher:subscribe", "data": data}).encode()))
    assert (await socket.event())["event"] == "pusher_internal:subscription_succeeded"


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes may stand in a text frame."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("bomb", BOMBS)
async def test_signed_data_with_a_bomb_is_its_senders_error(bomb: str, target: Target, witness: Bystander) -> None:
    text = BOMBS[bomb].decode("latin-1")[:60_000]
    async with PusherClient(target.port) as client:
        for number, channel_data in enumerate(
            [text, f'{{"user_id":{text}}}', f'{{"user_id":"u","user_info":{text}}}', f'{{"user_id":"u","more":{text}}}']
        ):
            channel = f"presence-bomb-{number}"
            await client.ask_for(channel, channel_data[:60_000])
            first = await client.receive()
            if first["event"] == "pusher_internal:subscription_succeeded":
                json.loads(first["data"])
                await client.unsubscribe(channel)
            else:
                assert first["event"] in ("pusher:subscription_error", "pusher:error"), first
                assert len(json.dumps(first)) < 700
                await still_answers(client)


BODIES = {
    "body": b"%b",
    "name": b'{"name":%b,"channel":"json","data":"1"}',
    "data": b'{"name":"n","channel":"json","data":%b}',
    "channel": b'{"name":"n","channel":%b,"data":"1"}',
    "channels": b'{"name":"n","channels":%b,"data":"1"}',
    "a channel": b'{"name":"n","channels":["json",%b],"data":"1"}',
    "socket_id": b'{"name":"n","channel":"json","data":"1","socket_id":%b}',
    "info": b'{"name":"n","channel":"json","data":"1","info":%b}',
    "unknown field": b'{"name":"n","channel":"json","data":"1","more":%b}',
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_body_with_a_bomb_delivers_json_or_nothing(bomb: str, target: Target, witness: Bystander) -> None:
    api, taken = ApiClient(target.port), 0
    async with PusherClient(target.port) as subscriber:
        await subscriber.subscribe("json")
        for template in BODIES.values():
            for text in (BOMBS[bomb], as_string(BOMBS[bomb])):
                event = template.replace(b"%b", text)
                for path, body in (("/events", event), ("/batch_events", b'{"batch":[%b]}' % event)):
                    answer = await api.post(path, body)
                    assert answer.status in (200, 400, 413), (answer, template)
                    assert len(answer.body) < 500
                    told: Any = answer.json()
                    assert ("error" in told) == (answer.status != 200)
                    taken += answer.status == 200
        answer = await api.request("POST", "/apps/1/channels/json/events", BOMBS[bomb] or b"1", {"name": "raw"})
        assert answer.status in (202, 400, 413)
        await subscriber.send({"event": "pusher:ping", "data": {}})
        while (await subscriber.receive())["event"] != "pusher:pong":
            taken -= 1


@pytest.mark.parametrize(
    "prefix", [b"", b'{"name":"a","channel":"json","data":', b'{"batch":[', b'{"name":"a","more":']
)
async def test_five_million_brackets_are_400(prefix: bytes, target: Target, witness: Bystander) -> None:
    for path in ("/events", "/batch_events"):
        answer = await ApiClient(target.port).post(path, prefix + b"[" * 5_000_000)
        assert answer.status == 400


async def test_fifty_thousand_brackets_in_every_frame_of_a_burst(target: Target, witness: Bystander) -> None:
    attackers = [RawWebSocket(target.port) for _ in range(5)]
    for attacker in attackers:
        await attacker.__aenter__()
        await attacker.open()
    for _ in range(10):
        for attacker in attackers:
            await attacker.write(masked_frame(TEXT, b"[" * DEPTH, key=b"\0\0\0\0"))
        await witness.expect_events(1)
    for attacker in attackers:
        for _ in range(10):
            assert (await attacker.event())["event"] == "pusher:error"
        await attacker.__aexit__(None, None, None)


async def test_a_body_that_never_ends_holds_nobody_up(target: Target, witness: Bystander) -> None:
    attackers = [Attacker(target.port) for _ in range(20)]
    head = b"POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
    for attacker in attackers:
        await attacker.send(head + b"[" * 50_000)
    await witness.expect_events(20)
    for attacker in attackers:
        attacker.close()
