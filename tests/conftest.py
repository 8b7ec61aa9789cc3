"""Fixtures that every test may use."""

from __future__ import annotations

# A module that others import comes before them, so that pytest can still rewrite its asserts.
pytest_plugins = ["tests.support.processes", "tests.support.redis_server", "tests.support.redis_sentinel"]
