"""`docs/metrics.md` and `ops/` name what the server has."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from sockudo.metrics.families import FAMILIES, ORIGINAL, OWN, Family, FamilyType
from tests.docs.test_tables_shown import rows
from tests.support.pages import section
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs/metrics.md"
RULES: Final = ROOT / "ops/prometheus/sockudo.rules.yml"
DASHBOARD: Final = ROOT / "ops/grafana/sockudo.json"


def row(family: Family) -> list[str]:
    labels = ", ".join(f"`{label}`" for label in family.labels) or "none"
    return [f"`{family.name}`", family.kind.value, labels, family.text]


@pytest.mark.parametrize(
    ("heading", "families"), [("## The families of Sockudo", ORIGINAL), ("## The server's own families", OWN)]
)
def test_every_family_is_shown_with_its_type_and_labels(heading: str, families: tuple[Family, ...]) -> None:
    assert rows(section(PAGE, heading)) == [row(family) for family in families]


def test_every_alert_says_what_to_do() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert [name.strip("`") for name, _ in rows(section(PAGE, "## Alerts"))] == alerts


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bsockudo_(\w+)", text))


def test_rules_and_dashboard_use_only_what_there_is() -> None:
    suffixes = {FamilyType.HISTOGRAM: ("_bucket", "_count", "_sum"), FamilyType.COUNTER: ("",), FamilyType.GAUGE: ("",)}
    known = {f"{name}{suffix}" for name, family in FAMILIES.items() for suffix in suffixes[family.kind]}
    assert names_in(RULES.read_text()) - known == set()
    assert names_in(DASHBOARD.read_text()) - known == set()


def test_the_dashboard_shows_every_family() -> None:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
    text = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))
    assert {name for name in FAMILIES if not re.search(rf"\bsockudo_{name}(_bucket|_sum)?\b", text)} == set()
