"""The corpus of the fuzzer passes, and a short run with a fixed seed finds nothing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz.inputs import joined, pieces
from tests.fuzz.targets import CORPUS, TARGETS, call, corpus

_SECONDS: Final = 2


@pytest.mark.parametrize("name", TARGETS)
def test_every_kept_input_passes(name: str) -> None:
    kept = corpus(name)
    assert kept, f"{name} has no corpus"
    for path in kept:
        call(name, path.read_bytes())


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this Python")
@pytest.mark.parametrize("name", TARGETS)
def test_a_short_run_with_a_fixed_seed_finds_nothing(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(_SECONDS), "--seed", "1"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stat::number_of_executed_units" in done.stderr


def test_a_target_that_fails_is_noticed(tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    code = "import sys; from tests.fuzz import targets; targets.TARGETS = {'http': lambda data: 1 / 0}"
    code += (
        f"; from tests.fuzz.__main__ import fuzz; from pathlib import Path; fuzz('http', Path({str(tmp_path)!r}), 5, 1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=100, cwd=Path(__file__).parents[2])
    assert done.returncode != 0
    assert list(tmp_path.glob("http-failed-*"))


def test_the_corpus_has_one_folder_for_each_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)


def test_an_input_is_the_pieces_that_it_was_joined_from() -> None:
    assert pieces(joined([b"a", b"", b"x" * 300])) == [b"a", b"", b"x" * 255, b"x" * 45]
    assert pieces(b"\x05ab") == [b"ab"]
