"""What docs/operations.md says of files, figures and alerts is so; test_walk.py runs its commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from tests.servers.processes import program
from tests.servers.server import clean_environ
from tests.support.pages import code_blocks, section
from tests.support.source import ROOT

PAGE: Final = ROOT / "docs" / "operations.md"
KERNEL: Final = ROOT / "ops" / "sysctl" / "sockudo.conf"
RULES: Final = ROOT / "ops" / "prometheus"


def test_the_kernel_has_every_setting_of_the_file() -> None:
    names = re.findall(r"^([a-z0-9_.-]+) = ", KERNEL.read_text(), re.MULTILINE)
    assert len(names) >= 10
    for name in names:
        if not name.startswith("net.") or (Path("/proc/sys") / name.replace(".", "/")).exists():
            assert (Path("/proc/sys") / name.replace(".", "/")).exists(), name


def test_the_sizes_are_those_that_were_measured() -> None:
    measured = (ROOT / "docs" / "performance.md").read_text()
    for figure in ("2.2 KB", "170 to 200 bytes", "340 us instead of 290", "31 us", "2.0 us", "0.41 us"):
        assert figure in section(PAGE, "## Sizes")
        assert figure in measured.replace("\n", " "), figure


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    alerts = re.findall(r"^### (\w+)$", section(PAGE, "## When an alert fires"), re.MULTILINE)
    assert len(alerts) == len(set(alerts)) > 10
    rules = [
        rule["alert"]
        for file in sorted(RULES.glob("*.rules.yml"))
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert set(rules) <= set(alerts)


def test_every_folder_of_operations_is_on_the_page() -> None:
    text = PAGE.read_text()
    names = {path.name for path in (ROOT / "ops").iterdir() if path.is_dir()}
    assert {name for name in names if f"ops/{name}/" not in text} == set()


def test_the_secret_shown_is_what_the_chart_needs(tmp_path: Path) -> None:
    (block,) = [block.text for block in code_blocks(PAGE, "sh") if "> sockudo.env" in block.text]
    program("openssl", "openssl")
    subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, check=True, timeout=30)
    file = tmp_path / "sockudo.env"
    assert file.stat().st_mode & 0o077 == 0
    values = yaml.safe_load((ROOT / "ops" / "helm" / "sockudo" / "values.yaml").read_text())
    (tmp_path / "config.json").write_text(json.dumps(values["config"]))
    environ = clean_environ() | dict(line.split("=", 1) for line in file.read_text().splitlines())
    command = [sys.executable, "-m", "sockudo", "check-config", "config.json"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("OK\n")
    assert "1 (key chat-key)" in done.stdout
    assert not done.stderr
