"""The loads of the table, and what is read from each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONE: Final = ("fanout", "--conns", "1000", "--window", "4")
LOADED: Final = ("fanout", "--conns", "1000", "--publishers", "8", "--window", "32")
MANY: Final = ("fanout", "--conns", "1000", "--channels", "100", "--publishers", "8", "--window", "32")
POSTS: Final = ("fanout", "--conns", "0", "--publishers", "8", "--window", "1000000")
BATCHES: Final = (*POSTS, "--batch", "10")
CHURN: Final = ("churn", "--conns", "100")
STEADY: Final = ("rate", "--conns", "500", "--rate", "60", "--publishers", "4")
BULK: Final = ("idle", "--conns", "9000", "--channels", "100", "--ramp", "200000")
CLIENT_EVENTS: Final = ("client", "--conns", "100", "--channels", "10")
SAME_OVER_HTTP: Final = ("fanout", "--conns", "100", "--channels", "10", "--publishers", "8")


@dataclass(frozen=True)
class Figure:
    """One figure of a load.

    Attributes:
        what: what it says, in the table.
        key: its name in what wsload prints.
        unit: its unit, in the table.
        bar, stretch: the multiples of the yardstick's figure that are to be reached; 0 where there is none.
        beside_yardstick: whether the yardstick has this figure too.
    """

    what: str
    key: str
    unit: str
    bar: float = 0
    stretch: float = 0
    beside_yardstick: bool = True


@dataclass(frozen=True)
class Row:
    """One load; the yardstick gets `yardstick`, since it knows no channels and no batches."""

    name: str
    load: tuple[str, ...]
    yardstick: tuple[str, ...]
    figures: tuple[Figure, ...]


_UNIT: Final = "server_cpu_us_per_unit"
_PUBLISH: Final = "server_cpu_us_per_publish"

ROWS: Final = (
    Row("churn", CHURN, CHURN, (Figure("connect, subscribe, drop", _UNIT, "us", 1.9, 1.6),)),
    Row("post", POSTS, POSTS, (Figure("a POST", _PUBLISH, "us", 2.7, 2.3),)),
    Row("batch", BATCHES, POSTS, (Figure("an event, ten in a POST", _PUBLISH, "us"),)),
    Row(
        "steady",
        STEADY,
        STEADY,
        (
            Figure("a delivery at a steady 30 000 a second", _UNIT, "us", 1.25, 1.15),
            Figure("its 99th percentile", "p99_ms", "ms", 1.15, 1.05),
        ),
    ),
    Row("many", MANY, LONE, (Figure("a delivery, POST included, 100 channels of 10", _UNIT, "us", 1.5, 1.3),)),
    Row("lone", LONE, LONE, (Figure("a delivery, one publisher, 1000 sockets", _UNIT, "us", 0.4),)),
    Row("loaded", LOADED, LOADED, (Figure("a delivery, 8 publishers, 1000 sockets", _UNIT, "us", 0.09),)),
    Row(
        "bulk",
        BULK,
        BULK,
        (
            Figure("connect and subscribe, 9000 at once", "ramp_cpu_us_per_conn", "us"),
            Figure("until all 9000 are subscribed", "ramp_s", "s"),
            Figure("memory of a subscribed socket", "mem_kb_per_conn", "KB", beside_yardstick=False),
        ),
    ),
    Row(
        "client",
        CLIENT_EVENTS,
        (),
        (Figure("deliveries of client events, 10 channels of 10", "deliveries_per_s", "/s", beside_yardstick=False),),
    ),
    Row(
        "client-http",
        SAME_OVER_HTTP,
        (),
        (Figure("the same fan-out over HTTP", "deliveries_per_s", "/s", beside_yardstick=False),),
    ),
)
