"""The database that other tests use in place of a real one does what real ones do."""

from __future__ import annotations

import pytest

from tests.contracts.app_store import AppStoreContract, MakeStore
from tests.fakes.app_store import FakeAppStore


class TestFakeAppStore(AppStoreContract):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        return FakeAppStore
