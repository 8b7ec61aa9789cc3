"""Build the load generator and the yardstick, and run one load.

    python benchmarks/load.py        # build both and print where they are

`benchmarks/tools/` has the sources. A C compiler and the headers of OpenSSL are needed (Debian: gcc, libssl-dev).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

_SOURCES: Final = Path(__file__).parent / "tools"
_BUILT: Final = Path(__file__).parents[1] / ".cache" / "tools"
_LIBRARIES: Final = {"wsload": ("-lcrypto",), "wslimit": ()}
# wsload ends with this status if an event was lost, doubled or out of order.
_FAULTS: Final = 2


def program(name: str) -> Path:
    """Return the program of this name; it is built where its source is newer."""
    source, built = _SOURCES / f"{name}.c", _BUILT / name
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        _BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", built, source, *_LIBRARIES[name]], check=True)
    return built


def run_load(
    load: Sequence[str], port: int, pids: Iterable[int] = (), seconds: float = 4, *, check: bool = True
) -> dict[str, Any]:
    """Run one load; return what wsload measured, with `complete`: whether every event arrived, once and in order.

    Args:
        load: the mode and its options.
        pids: the processes, with their children, whose CPU and memory are charged.
        check: end the program where an event did not arrive once and in order.
    """
    command = [str(program("wsload")), *load, "--port", str(port), "--seconds", str(seconds)]
    for pid in pids:
        command += ["--pid", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in ((0,) if check else (0, _FAULTS)):
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"complete": done.returncode == 0}


if __name__ == "__main__":
    for name in _LIBRARIES:
        print(program(name))
