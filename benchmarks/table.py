"""Measure this server beside `wslimit`, the least that a server can do, and beside other servers; print one table.

    python benchmarks/table.py [--rounds 3] [--seconds 4] [--rows churn,post] [--json FILE]
                               [--peer NAME=COMMAND:PORT] [--peer-options NAME=OPTIONS]

Each row is one load. In each round every server gets it once, one after the other, so that a change of the machine's
speed meets all of them. The table has the medians of the rounds, their spread, and the multiple of the yardstick's
figure: the median of the multiples of the rounds.

A peer is any server that speaks the Pusher protocol and has an app with id `1`, key `app-key` and secret `app-secret`.
`--peer-options` gives the load generator other ones: `--peer-options "centrifugo=--centrifugo --secret KEY"`.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from load import run_load
from rows import ROWS, Figure, Row
from servers import Peer, sockudo, wslimit

OURS, YARDSTICK = "sockudo", "wslimit"

# By the names of row and server: what wsload measured in each round.
Results = dict[tuple[str, str], list[dict[str, float]]]


def measure(rows: Sequence[Row], peers: Sequence[Peer], rounds: int, seconds: float) -> Results:
    """Run every load against every server, round by round."""
    results: Results = defaultdict(list)
    for number in range(1, rounds + 1):
        for row in rows:
            if row.yardstick:
                _measure(results, row, YARDSTICK, wslimit(), row.yardstick, seconds, check=False)
            _measure(results, row, OURS, sockudo(), row.load, seconds, check=True)
            for peer in peers:
                _measure(results, row, peer.name, peer.running(), (*row.load, *peer.options), seconds, check=False)
            print(f"round {number} of {rounds}: {row.name}", file=sys.stderr)
    return results


def _measure(
    results: Results,
    row: Row,
    name: str,
    server: AbstractContextManager[tuple[int, int]],
    load: Sequence[str],
    seconds: float,
    *,
    check: bool,
) -> None:
    with server as (port, pid):
        found = run_load(load, port, [pid], seconds, check=check)
    results[row.name, name].append(found)
    if name not in (OURS, YARDSTICK) and not found["complete"]:
        print(f"{name}, {row.name}: not every event arrived once and in order: {found}", file=sys.stderr)


def table(rows: Sequence[Row], peers: Sequence[Peer], results: Results) -> list[str]:
    """Return the lines of the table."""
    names = [OURS, *(peer.name for peer in peers)]
    lines = [f"| what | bar | stretch | {YARDSTICK} | {' | '.join(names)} |", "|---" * (4 + len(names)) + "|"]
    for row in rows:
        for figure in row.figures:
            cells = [_aim(figure.bar), _aim(figure.stretch), _yardstick(row, figure, results)]
            cells += [_cell(row, figure, name, results) for name in names]
            lines.append(f"| {figure.what} | {' | '.join(cells)} |")
    return lines


def _aim(multiple: float) -> str:
    return f"{multiple:g} x" if multiple else ""


def _yardstick(row: Row, figure: Figure, results: Results) -> str:
    if not (row.yardstick and figure.beside_yardstick):
        return ""
    return _measured([found[figure.key] for found in results[row.name, YARDSTICK]], figure.unit)


def _cell(row: Row, figure: Figure, name: str, results: Results) -> str:
    values = [found[figure.key] for found in results[row.name, name]]
    if not (row.yardstick and figure.beside_yardstick):
        return _measured(values, figure.unit)
    least = [found[figure.key] for found in results[row.name, YARDSTICK]]
    multiples = [value / one for value, one in zip(values, least, strict=True)]
    spread = f"{min(multiples):.2f} to {max(multiples):.2f}"
    return f"{statistics.median(multiples):.2f} x ({spread}), {_measured(values, figure.unit)}"


def _measured(values: Sequence[float], unit: str) -> str:
    middle = statistics.median(values)
    return f"{middle:,.0f} {unit}" if middle >= 1000 else f"{middle:.3g} {unit}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rows", default="", help=f"some of {','.join(row.name for row in ROWS)}")
    parser.add_argument("--peer", type=Peer.parse, action="append", default=[], metavar="NAME=COMMAND:PORT")
    parser.add_argument("--peer-options", action="append", default=[], metavar="NAME=OPTIONS")
    parser.add_argument("--json", type=Path, help="a file for everything that was measured")
    args = parser.parse_args()
    options = dict(text.partition("=")[::2] for text in args.peer_options)
    peers = [replace(peer, options=shlex.split(options.get(peer.name, ""))) for peer in args.peer]
    rows = [row for row in ROWS if not args.rows or row.name in args.rows.split(",")]
    results = measure(rows, peers, args.rounds, args.seconds)
    print("\n".join(table(rows, peers, results)))
    if args.json:
        args.json.write_text(json.dumps({f"{row}, {server}": found for (row, server), found in results.items()}))


if __name__ == "__main__":
    main()
