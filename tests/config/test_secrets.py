"""Secrets stay out of texts: problems, warnings, representations."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sockudo.config.sections.app import AppSettings

from .conftest import Load, Problems

SECRET = "TOPSECRET"


@pytest.mark.parametrize(
    "app",
    [
        {"id": "a", "secret": SECRET},
        {"id": "a", "key": "k", "secret": [SECRET]},
        {"id": "a", "key": "k", "secret": {SECRET: SECRET}},
        {"id": "a", "key": {"x": SECRET}, "secret": SECRET},
        {"id": "a", "key": [SECRET], "secret": SECRET, "max_connections": [SECRET]},
        {"id": "a", "key": "k", "secret": SECRET, "webhooks": SECRET},
        {"id": "a", "key": "k", "secret": SECRET, "webhooks": [SECRET]},
        {"id": "a", "key": "k", "secret": SECRET, "webhooks": [{"url": f"x://u:{SECRET}@h", "event_types": ["x"]}]},
        {"id": "a", "key": "k", "secret": SECRET, "webhooks": [{"headers": {"X-A": f"{SECRET}\n"}}]},
        SECRET,
        [SECRET],
    ],
)
def test_problems_do_not_quote_a_secret(app: Any, problems_of: Problems) -> None:
    assert SECRET not in "\n".join(problems_of({"app_manager": {"array": {"apps": [app]}}}))
    assert SECRET not in "\n".join(problems_of({"app_manager": {"apps": [app]}}))


@pytest.mark.parametrize("place", [SECRET, [SECRET]])
def test_problems_of_whole_sections_do_not_quote_a_secret(place: Any, problems_of: Problems) -> None:
    assert SECRET not in "\n".join(problems_of({"app_manager": place}))
    assert SECRET not in "\n".join(problems_of({"app_manager": {"array": place}}))


def test_representations_do_not_show_secrets(load_document: Load) -> None:
    hook = {"url": f"http://u:{SECRET}@x", "headers": {"X-A": SECRET}, "event_types": ["cache_miss"]}
    document = {"app_manager": {"array": {"apps": [{"id": "a", "key": "k", "secret": SECRET, "webhooks": [hook]}]}}}

    identity = {"SOCKUDO_DEFAULT_APP_ID": "e", "SOCKUDO_DEFAULT_APP_KEY": "ek", "SOCKUDO_DEFAULT_APP_SECRET": SECRET}
    loaded = load_document(document, identity)

    assert loaded.settings.apps[0].secret == SECRET
    assert SECRET not in repr(loaded)
    assert SECRET not in str(loaded.settings)
    assert SECRET not in "\n".join(loaded.warnings)


def test_an_error_of_an_app_from_code_hides_its_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        AppSettings.model_validate({"id": "a", "secret": SECRET})

    assert SECRET not in str(caught.value)
