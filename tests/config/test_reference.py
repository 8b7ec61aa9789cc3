"""The reference page says what the declarations say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from sockudo.config.checks.unknown import setting_paths
from sockudo.config.model import Settings
from sockudo.config.reference import reference

PAGE = Path(__file__).parents[2] / "docs/configuration.md"


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m sockudo.config.reference > docs/configuration.md"
    )


def test_the_module_prints_the_page() -> None:
    run = subprocess.run([sys.executable, "-m", "sockudo.config.reference"], capture_output=True, text=True, check=True)

    assert run.stdout == reference()


def test_the_page_names_every_setting_that_a_file_may_have() -> None:
    page = reference()

    missing = [path for path in setting_paths(Settings) if f"`{path}`" not in page]
    assert all(path.startswith("logging.") for path in missing)


def test_every_setting_has_a_description() -> None:
    assert not re.search(r"\|\s*\|$", reference(), re.MULTILINE)


def test_both_examples_of_the_page_are_the_same_configuration() -> None:
    as_json, as_toml = re.findall(r"```(?:json|toml)\n(.*?)```", reference(), re.DOTALL)

    assert json.loads(as_json) == tomllib.loads(as_toml)
    Settings.model_validate(json.loads(as_json))
