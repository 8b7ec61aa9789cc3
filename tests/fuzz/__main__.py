"""Fuzz targets, guided by the lines that inputs reach (atheris): `python -m tests.fuzz --seconds 600 [TARGET ...]`.

The time is shared by the targets. Each begins with its corpus; inputs that reach something new go to `.cache/fuzz`, and
an input that makes a target fail goes there too. Put that one into `corpus/` with the fix.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_LONGEST_INPUT: Final = 4096
_SLOWEST_INPUT: Final = 10


def main() -> int:
    """Fuzz the targets that are named, or all, one process after the other; return how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0, help="0 is another one each time")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "fuzz", help="for what is found")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_this_process:
        fuzz(options.targets[0], options.folder, options.seconds, options.seed)
    from tests.fuzz.targets import TARGETS

    names = options.targets or list(TARGETS)
    failed = [name for name in names if not _passes(name, options, options.seconds / len(names))]
    for name in failed:
        print(f"{name} failed; its input is {options.folder / name}-failed-...")
    return len(failed)


def _passes(name: str, options: argparse.Namespace, seconds: float) -> bool:
    print(f"== {name}", flush=True)
    more = ["--in-this-process", "--seconds", str(seconds), "--seed", str(options.seed)]
    command = [sys.executable, "-m", "tests.fuzz", name, "--folder", str(options.folder), *more]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def fuzz(name: str, folder: Path, seconds: float, seed: int) -> None:
    """Fuzz one target; this ends the process."""
    import atheris
    import structlog

    with atheris.instrument_imports(include=["sockudo"]):
        from tests.fuzz.targets import CORPUS, TARGETS
    # What is told of each bad input would take most of the time.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    found = folder / name
    found.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], str(found), str(CORPUS / name), f"-artifact_prefix={folder}/{name}-failed-"]
    arguments += [f"-max_total_time={max(1, round(seconds))}", f"-max_len={_LONGEST_INPUT}"]
    arguments += [f"-timeout={_SLOWEST_INPUT}", "-print_final_stats=1", "-verbosity=1"]
    if seed:
        arguments.append(f"-seed={seed}")
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
