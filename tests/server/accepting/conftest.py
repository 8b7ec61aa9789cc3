"""What tests of TLS need: certificates."""

from __future__ import annotations

import pytest

from tests.servers.certificates import Certificate, make_certificate


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate and its key."""
    return make_certificate(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Another one."""
    return make_certificate(tmp_path_factory.mktemp("other"))
