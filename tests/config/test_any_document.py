"""Whatever a file holds, loading it gives settings or a ConfigError."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sockudo.config.checks.unknown import item_section_of
from sockudo.config.kinds.section import Section, key_of, section_of
from sockudo.config.load import load
from sockudo.config.model import Settings
from sockudo.errors import ConfigError

VARIABLES = ["PORT", "HOST", "CORS_ORIGINS", "DEBUG", "RUST_LOG", "SOCKUDO_DEFAULT_APP_ID"]

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def shaped(model: type[Section]) -> st.SearchStrategy[Any]:
    """Objects with the right keys and any values, so that the depths of the model are reached."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in model.model_fields.items():
        inner = section_of(field)
        item = item_section_of(field)
        strategy: st.SearchStrategy[Any] = ANYTHING
        if inner is not None:
            strategy |= shaped(inner)
        elif item is not None:
            strategy |= shaped(item) | st.lists(shaped(item), max_size=2)
        fields[key_of(name, field)] = strategy
    return st.fixed_dictionaries({}, optional=fields)


def problems_of(data: bytes, environ: dict[str, str] | None = None) -> list[str] | None:
    """Load a file with this content; None if that works."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "any"
        path.write_bytes(data)
        try:
            load(path, environ or {}, {}, Path(directory))
        except ConfigError as error:
            return error.problems
    return None


def assert_usable(problems: list[str] | None) -> None:
    """A refusal has problems, and each is one line that a terminal can show."""
    assert problems is None or (problems and all(problem.isprintable() for problem in problems))


@given(ANYTHING)
@settings(deadline=None)
def test_any_json_loads_or_is_a_configuration_error(document: Any) -> None:
    assert_usable(problems_of(json.dumps(document).encode()))


@given(shaped(Settings))
@settings(deadline=None, max_examples=200)
def test_any_values_of_known_keys_load_or_are_configuration_errors(document: Any) -> None:
    assert_usable(problems_of(json.dumps(document).encode()))


@given(st.text() | st.binary())
@settings(deadline=None)
def test_any_file_loads_or_is_a_configuration_error(content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    problems = problems_of(data)
    assert problems is None or problems


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text()))
@settings(deadline=None)
def test_any_environment_loads_or_is_a_configuration_error(environ: dict[str, str]) -> None:
    assert_usable(problems_of(b"{}", environ))
