"""Documents as trees and as leaves."""

from __future__ import annotations

from typing import Any

import pytest

from sockudo.migration.nesting import as_list, leaves, nested


@pytest.mark.parametrize(
    ("document", "tree"),
    [
        ({"a.b": 1, "a.c": 2, "d": 3}, {"a": {"b": 1, "c": 2}, "d": 3}),
        ({"a": {"b": 1}, "a.c": 2}, {"a": {"b": 1, "c": 2}}),
        ({"a.b": 1, "a": {"c": 2}}, {"a": {"c": 2}}),
        ({"a": 1, "a.b": 2}, {"a": {"b": 2}}),
        ({"a": ["x", "y"], "a.1": "z"}, {"a": {"0": "x", "1": "z"}}),
    ],
)
def test_dotted_keys_are_taken_apart(document: dict[str, Any], tree: dict[str, Any]) -> None:
    assert nested(document) == tree


def test_leaves_are_named_by_their_path_in_order() -> None:
    found = leaves({"a": {"b": 1, "c": {"d": None}}, "e": [1], "f": {}}, ())

    assert list(found.items()) == [("a.b", 1), ("a.c.d", None), ("e", [1])]


def test_what_is_whole_is_not_taken_apart() -> None:
    assert leaves({"a": {"b": {"c": 1}, "d": {"1": "y", "0": "x"}}}, {"a.b", "a.d"}) == {
        "a.b": {"c": 1},
        "a.d": ["x", "y"],
    }


def test_a_tree_may_be_deep() -> None:
    tree: dict[str, Any] = {"a": 1}
    for _ in range(5000):
        tree = {"a": tree}

    assert len(leaves(tree, ())) == 1


@pytest.mark.parametrize("value", [{}, {"a": 1}, {"0": 1, "a": 2}, [1], "0", None])
def test_what_does_not_count_is_no_list(value: object) -> None:
    assert as_list(value) is value


def test_numbered_keys_form_a_list_in_their_order() -> None:
    assert as_list({"10": "c", "2": "b", "0": "a"}) == ["a", "b", "c"]
