"""The workflows: their form, what they may do, and the version that a release has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from sockudo import __version__
from tests.support.source import ROOT

FOLDER: Final = ROOT / ".github" / "workflows"
WORKFLOWS: Final = sorted(FOLDER.glob("*.yml"))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in jobs(path).values() for step in job["steps"]]


def test_the_workflows_have_the_form_that_is_read() -> None:
    tool = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [tool, "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name)] == []
    named = re.findall(r"uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", path.read_text(), re.MULTILINE)
    assert len(named) == len(used), "each has its version behind it"


def test_an_action_has_one_version() -> None:
    used = {step["uses"] for path in WORKFLOWS for step in steps(path) if "uses" in step}
    assert len(used) == len({name.partition("@")[0] for name in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_may_do_only_what_it_says(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {}
    assert all("permissions" in job and "timeout-minutes" in job for job in jobs(path).values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_text_of_others_is_run_as_a_command(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), "an expression goes through the environment"


def test_a_checkout_leaves_no_password_behind() -> None:
    for path in WORKFLOWS:
        for step in steps(path):
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_workflow_runs_what_contributors_run() -> None:
    lines = [step["run"] for step in steps(FOLDER / "ci.yml") if "run" in step]
    assert any(".ci/run" in line for line in lines)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in WORKFLOWS:
        for step in steps(path):
            for names in re.findall(r"^make ([a-z ]+)$", step.get("run", ""), re.MULTILINE):
                assert set(names.split()) <= targets


@pytest.mark.parametrize("given", ["0.1.0", "9.9.9"])
def test_a_tag_of_another_version_is_no_release(given: str, tmp_path: Path) -> None:
    (check,) = [step for step in steps(FOLDER / "release.yml") if step.get("id") == "version"]
    (tmp_path / "src").symlink_to(ROOT / "src")
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {__version__} - today\n\n* New.\n\n## 0.0.1\n\n* Old.\n")
    output = tmp_path / "output"
    environ = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TAG": f"v{given}", "GITHUB_OUTPUT": str(output)}
    command = ["bash", "-e", "-o", "pipefail", "-c", check["run"]]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, timeout=60, check=False)
    assert (done.returncode == 0) == (given == __version__)
    if given == __version__:
        assert output.read_text() == f"version={__version__}\n"
        assert (tmp_path / "notes.md").read_text().split() == ["*", "New."]


def test_a_version_without_a_changelog_is_no_release(tmp_path: Path) -> None:
    (check,) = [step for step in steps(FOLDER / "release.yml") if step.get("id") == "version"]
    (tmp_path / "src").symlink_to(ROOT / "src")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n* New.\n")
    environ = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "TAG": f"v{__version__}",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", check["run"]]
    assert subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, timeout=60, check=False).returncode
