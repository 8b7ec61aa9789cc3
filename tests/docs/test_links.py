"""Links between pages lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.support.pages import anchors, links, pages
from tests.support.source import ROOT, report, write_tree


def broken_links(root: Path) -> Iterator[str]:
    """Yield links whose file or heading does not exist; addresses elsewhere are not followed."""
    for page in pages(root):
        for link in links(page):
            if "://" in link:
                continue
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists():
                yield f"{page.relative_to(root)}: {link} does not exist"
            elif anchor and anchor not in anchors(target):
                yield f"{page.relative_to(root)}: {link} has no such heading"


def test_every_link_between_pages_resolves() -> None:
    problems = list(broken_links(ROOT))
    assert not problems, report(problems)


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {link.partition("#")[0] for link in links(ROOT / "README.md")}
    assert {str(page.relative_to(ROOT)) for page in pages()} - {"README.md"} <= linked


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "README.md": "[a](docs/a.md#two-words) [b](docs/b.md) [c](#none) [d](https://example.com/#x)\n",
            "docs/a.md": "# One\n\n## `Two` words!\n\n```md\n[no link](nowhere.md)\n# None\n```\n[up](../README.md)\n",
        },
    )
    assert list(broken_links(tmp_path)) == [
        "README.md: docs/b.md does not exist",
        "README.md: #none has no such heading",
    ]
