"""The pages name settings, defaults and variables as they are."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any, Final

from sockudo.config.checks.unknown import setting_paths
from sockudo.config.environment import read_environment
from sockudo.config.load import load
from sockudo.config.model import Settings
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.default_app import DefaultAppSettings
from sockudo.migration.soketi.names import EQUAL, NO_EQUAL, SPECIAL
from tests.support.pages import code_blocks, pages, prose, section, the_block
from tests.support.source import ROOT, report

README: Final = ROOT / "README.md"
REFERENCE: Final = ROOT / "docs/configuration.md"

# Names that soketi has for its settings, which one page sets beside ours.
_OF_SOKETI: Final = frozenset({*EQUAL, *NO_EQUAL, *SPECIAL})
_PATH: Final = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)`")


def unknown_settings(page: Path) -> Iterator[str]:
    """Yield dotted names that begin like a setting and are none."""
    paths = set(setting_paths(Settings))
    groups = {path.rpartition(".")[0] for path in paths}
    theirs = _OF_SOKETI if page.name == "migrating.md" else frozenset()
    for name in _PATH.findall(prose(page)):
        if name in theirs:
            continue
        if name.partition(".")[0] in Settings.model_fields and name not in paths | groups:
            yield f"{page.name}: {name}"


def test_every_setting_that_a_page_names_exists() -> None:
    problems = [problem for page in pages() if page != REFERENCE for problem in unknown_settings(page)]
    assert not problems, report(problems)


def test_a_setting_that_does_not_exist_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`presence.max_members` `presence.max_members_per_channel` `hub.deliver` `cache.redis`")
    assert list(unknown_settings(page)) == ["page.md: presence.max_members"]


def test_the_table_of_limits_shows_the_defaults() -> None:
    defaults, rows = Settings(), 0
    for line in section(README, "## Limits and defaults").splitlines():
        names = re.findall(r"`([\w.]+)`", line)
        if not line.startswith("| ") or not names or names[0] in AppSettings.model_fields:
            continue
        rows += 1
        shown = line.split("|")[2]
        for name in names:
            value: Any = reduce(getattr, name.split("."), defaults)
            assert ("off" if value is False else str(value)) in shown.split(), (name, value, shown)
    assert rows >= 10


def test_app_settings_in_the_table_have_no_default_limit() -> None:
    for name in ("max_client_events_per_second", "max_connections"):
        assert f"`{name}` of the app" in section(README, "## Limits and defaults")
        assert AppSettings.model_fields[name].default == 0


def test_the_two_example_files_and_the_environment_say_the_same(tmp_path: Path) -> None:
    from_json = json.loads(the_block(README, "json", "path_prefix"))
    from_toml = tomllib.loads(the_block(README, "toml", "path_prefix"))
    assert from_json == from_toml
    words = the_block(README, "sh", "PATH_PREFIX").replace("\\\n", " ").split()
    environ = dict(word.split("=", 1) for word in words if "=" in word)
    known = {one.variable for model in (Settings, DefaultAppSettings) for one in read_environment(model, environ)}
    assert known == set(environ)
    (tmp_path / "config.json").write_text(json.dumps(from_json))
    file, bare = load(Path("config.json"), {}, {}, tmp_path), load(None, environ, {}, tmp_path)
    assert file.warnings == bare.warnings == []
    for name in ("port", "path_prefix", "activity_timeout"):
        assert getattr(file.settings, name) == getattr(bare.settings, name)
    assert [app.key for app in file.settings.apps] == [app.key for app in bare.settings.apps] == ["chat-key"]


def test_every_configuration_shown_loads_without_a_warning(tmp_path: Path) -> None:
    shown = 0
    for page in (README, REFERENCE, ROOT / "docs/deployment.md", ROOT / "docs/metrics.md"):
        for language, text in code_blocks(page):
            document = {"json": json.loads, "toml": tomllib.loads}.get(language, lambda _: {})(text)
            if document:
                shown += 1
                path = tmp_path / f"config{shown}.{language}"
                path.write_text(text)
                warnings = load(path, {}, {}, tmp_path).warnings
                assert [one for one in warnings if "no app is" not in one] == [], (page, text)
    assert shown >= 5
