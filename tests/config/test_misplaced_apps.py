"""Apps in a file where nothing reads them stop the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sockudo.config.load import load
from sockudo.errors import ConfigError

from .conftest import Load, Problems, document_with

APP: dict[str, Any] = {"id": "a", "key": "k", "secret": "hush"}
SOKETI = {"appManager": {"array": {"apps": [{**APP, "maxConnections": 5}]}}, "port": 6001}
REVERB = {"apps": {"provider": "config", "apps": [{"app_id": "a", "key": "k", "secret": "hush"}]}}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"apps": [APP]}, "apps"),
        ({"apps": {"a": APP}}, "apps"),
        ({"app": APP}, "app"),
        ({"applications": [{"id": "a"}]}, "applications"),
        ({"array": {"apps": [APP]}}, "array.apps"),
        ({"app_manger": {"array": {"apps": [APP]}}}, "app_manger.array.apps"),
        ({"app_manager": {"aray": {"apps": [APP]}}}, "app_manager.aray.apps"),
        ({"app_manager": {"memory": {"apps": [APP]}}}, "app_manager.memory.apps"),
        ({"app_manager": {"array": {"app": [APP]}}}, "app_manager.array.app"),
        ({"app_manager": {"array": {"mine": APP}}}, "app_manager.array.mine"),
        ({"app_manager": {"mine": [{}, APP]}}, "app_manager.mine[1]"),
        ({"app_manager": APP}, "app_manager"),
        (APP, "configuration"),
        ({"default_app": {"key": "k"}}, "default_app"),
        (SOKETI, "appManager.array.apps"),
        ({"appManager.array.apps": [APP]}, '"appManager.array.apps"'),
        ({"appManager.array.apps.0.id": "a"}, '"appManager.array.apps.0.id"'),
        (REVERB, "apps"),
        ({"reverb": REVERB}, "reverb.apps"),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"cache": {"driver": "none"}}])
def test_apps_where_nothing_reads_them_stop_the_start(
    document: dict[str, Any], place: str, beside: dict[str, Any], problems_of: Problems
) -> None:
    problems = problems_of({**document, **beside})

    assert [problem.partition(": nothing reads apps here")[0] for problem in problems] == [place]
    assert "list them in app_manager.array.apps" in problems[0]
    assert "hush" not in problems[0]


def test_misplaced_apps_stop_the_start_beside_others(problems_of: Problems) -> None:
    document = {**document_with("app_manager.apps", [APP]), "apps": [{**APP, "id": "b"}]}

    assert len(problems_of(document)) == 1
    assert len(problems_of(document, {"APP_MANAGER_DRIVER": "sqlite"})) == 1


@pytest.mark.parametrize(
    ("document", "server"), [(SOKETI, "soketi"), (REVERB, "reverb"), ({"reverb": REVERB}, "reverb")]
)
def test_a_file_of_another_server_is_sent_to_import_config(
    document: dict[str, Any], server: str, problems_of: Problems
) -> None:
    (problem,) = problems_of(document)

    assert f"`sockudo import-config {server} FILE`" in problem


def test_apps_on_the_top_level_of_toml_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[[apps]]\nid = "a"\nkey = "k"\nsecret = "s"\n')

    with pytest.raises(ConfigError, match=r"^apps: nothing reads apps here"):
        load(path, {}, {}, tmp_path)


@pytest.mark.parametrize("value", [{}, {"id": 1}, 5, "x", True])
def test_a_list_of_apps_that_is_none_stops_the_start(value: object, problems_of: Problems) -> None:
    (problem,) = problems_of(document_with("app_manager.array.apps", value))

    assert problem.startswith("app_manager.array.apps: expected a list")


@pytest.mark.parametrize(
    "document",
    [
        {"apps": []},
        {"app": ""},
        {"appearance": {"dark": True}},
        {"aws": {"key": "k", "secret": "s"}},
        document_with("app_manager.array.apps", [{**APP, "owner": {"id": 1, "key": 2, "secret": 3}}]),
    ],
)
def test_other_unknown_keys_stay_warnings(document: dict[str, Any], load_document: Load) -> None:
    assert any(warning.startswith("unknown key") for warning in load_document(document).warnings)
