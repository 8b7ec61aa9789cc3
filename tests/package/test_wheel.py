"""The package: what is in it, what it pulls in, and that its version comes from one place."""

from __future__ import annotations

import re
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from packaging.requirements import Requirement

from sockudo import __version__
from tests.package.build import build
from tests.support.source import ROOT

# What a server needs that has its apps in its configuration and is alone.
SERVING: Final = frozenset(
    {
        "aiohttp",
        "click",
        "google-re2",
        "httptools",
        "idna",
        "msgspec",
        "pydantic",
        "rich",
        "structlog",
        "uvloop",
    }
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sdist"), "sdist")


def metadata(wheel: Path) -> Message:
    """Return what the index is told of the package."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_has_every_source_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "sockudo").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == sources
    assert "sockudo/py.typed" in names


def test_the_wheel_suits_every_machine(wheel: Path) -> None:
    assert wheel.name == f"sockudo-{__version__}-py3-none-any.whl"


def test_the_version_is_that_of_the_source(wheel: Path, sdist: Path) -> None:
    assert metadata(wheel)["Version"] == __version__
    assert sdist.name == f"sockudo-{__version__}.tar.gz"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert "version" in project["dynamic"]


def test_the_package_pulls_in_only_what_serving_needs(wheel: Path) -> None:
    requirements = [Requirement(text) for text in metadata(wheel).get_all("Requires-Dist") or []]
    always = {one.name for one in requirements if one.marker is None or "extra" not in str(one.marker)}
    assert always == SERVING


def test_the_wheel_has_the_command_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (entry,) = [name for name in names if name.endswith("entry_points.txt")]
        assert "sockudo = sockudo.__main__:main" in archive.read(entry).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_archive_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    again = build(tmp_path / "wheel", "wheel", source)
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())


def test_the_source_archive_has_no_tests_and_no_secrets(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        tops = {Path(name).parts[1] for name in archive.getnames() if len(Path(name).parts) > 1}
    assert tops == {"src", "README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "PKG-INFO", ".gitignore"}


def test_the_index_shows_the_readme_and_the_licence(wheel: Path) -> None:
    told = metadata(wheel)
    assert told["Description-Content-Type"] == "text/markdown"
    assert told["License-Expression"] == "MIT"
    assert told["Requires-Python"] == ">=3.11"


def test_chart_and_changelog_have_the_version_of_the_source() -> None:
    chart: dict[str, Any] = yaml.safe_load((ROOT / "ops" / "helm" / "sockudo" / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
    text = (ROOT / "CHANGELOG.md").read_text()
    released = re.findall(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)
    assert __version__ in released or f"version, {__version__}" in text


def test_every_python_that_is_named_is_tried() -> None:
    from tests.package.pythons import PYTHONS

    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    named = [text.rpartition(" ")[2] for text in classifiers if re.fullmatch(r".*:: 3\.\d+", text)]
    assert named == list(PYTHONS)
