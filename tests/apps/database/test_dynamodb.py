"""Apps in DynamoDB, against a stand-in that speaks its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import count
from typing import Any

import pytest

from sockudo.apps.database.dynamodb import DynamoDbAppStore
from sockudo.apps.database.options import DynamoDbOptions
from sockudo.config.sections.dynamodb import DynamoDbSettings
from sockudo.errors import DriverError
from tests.contracts.app_store import AppStoreContract, MakeStore, SchemaContract, full_record, record
from tests.servers.dynamodb_server import DynamoDbProcess
from tests.support.sections import changed

Others = Callable[..., Awaitable[dict[str, Any]]]

_numbers = count()


class TestDynamoDb(AppStoreContract, SchemaContract):
    @pytest.fixture
    def make_store(self, dynamodb: DynamoDbProcess) -> MakeStore:
        return lambda: DynamoDbAppStore(dynamodb.options)

    @pytest.fixture
    def new_store(self, dynamodb: DynamoDbProcess) -> MakeStore:
        new = changed(dynamodb.options, table_name=f"apps-{next(_numbers)}")
        return lambda: DynamoDbAppStore(new)


class TestATableOfOthers:
    @pytest.fixture
    def table(self) -> str:
        return f"loose-{next(_numbers)}"

    @pytest.fixture
    def others(self, dynamodb: DynamoDbProcess, table: str) -> Others:
        """What another program does to the table."""
        return partial(dynamodb.call, table)

    @pytest.fixture
    async def store(self, dynamodb: DynamoDbProcess, table: str) -> AsyncIterator[DynamoDbAppStore]:
        store = DynamoDbAppStore(changed(dynamodb.options, table_name=table))
        await store.start()
        yield store
        await store.aclose()

    async def test_items_of_any_shape_are_read(self, store: DynamoDbAppStore, others: Others) -> None:
        await store.migrate()
        await others("put_item", Item={"id": {"S": "1"}, "key": {"S": "k"}, "secret": {"S": "s"}})
        item = {
            "id": {"S": "2"},
            "key": {"S": "l"},
            "secret": {"S": "s"},
            "max_connections": {"S": "7"},
            "max_event_batch_size": {"NULL": True},
            "enabled": {"N": "0"},
            "webhooks": {"S": '[{"url": "https://example.com", "event_types": ["channel_occupied"]}]'},
            "allowed_origins": {"SS": ["a.example"]},
        }
        await others("put_item", Item=item)
        first, second = await store.find_by_key("k"), await store.find_by_key("l")
        assert first == dict.fromkeys(first or {}) | {"id": "1", "key": "k", "secret": "s"}
        assert second is not None
        assert (second["max_connections"], second["max_event_batch_size"], second["enabled"]) == (7, None, False)
        assert second["webhooks"] == [{"url": "https://example.com", "event_types": ["channel_occupied"]}]
        assert second["allowed_origins"] == ["a.example"]

    async def test_an_update_leaves_attributes_of_other_programs_alone(
        self, store: DynamoDbAppStore, others: Others
    ) -> None:
        await store.migrate()
        await store.create(full_record())
        await others("update_item", Key={"id": {"S": "full"}}, UpdateExpression="SET note = :note",
                          ExpressionAttributeValues={":note": {"S": "ours"}})  # fmt: skip
        assert await store.update(record("full"))
        answer = await others("get_item", Key={"id": {"S": "full"}})
        assert answer["Item"]["note"] == {"S": "ours"}
        assert "webhooks" not in answer["Item"]

    async def test_a_table_with_the_key_of_soketi_is_refused(self, store: DynamoDbAppStore, others: Others) -> None:
        await others(
            "create_table",
            KeySchema=[{"AttributeName": "AppId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "AppId", "AttributeType": "S"}],
            ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        )
        with pytest.raises(DriverError, match=r"has the key AppId and not id \(database\.dynamodb\.table_name\)"):
            await store.migrate()
        with pytest.raises(DriverError, match="copy the apps into a new table"):
            await store.start()

    async def test_the_key_index_is_added_to_a_table_without_one(
        self, store: DynamoDbAppStore, others: Others, table: str
    ) -> None:
        await others(
            "create_table",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        made = await store.migrate()
        assert made.done == [f"made the index KeyIndex of the table {table}"]
        await store.create(record())
        assert await store.find_by_key("app-key") == record()

    async def test_every_page_is_read(self, store: DynamoDbAppStore, others: Others) -> None:
        await store.migrate()
        # A page is a megabyte.
        webhook = {"url": "https://example.com", "event_types": ["channel_occupied"], "headers": {"X": "x" * 60_000}}
        apps = [record(f"app-{number}", webhooks=[webhook]) for number in range(40)]
        await asyncio.gather(*(store.create(app) for app in apps))
        answer = await others("scan")
        assert "LastEvaluatedKey" in answer
        assert {app["id"] for app in await store.all()} == {app["id"] for app in apps}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"endpoint_url": "http://127.0.0.1:1"}, "Could not connect"),
        ({"aws_access_key_id": None}, "Partial credentials"),
        ({"aws_access_key_id": None, "aws_secret_access_key": None, "aws_profile_name": "nobody"}, "nobody"),
    ],
)
async def test_an_unusable_database_is_an_error_that_names_the_setting(
    dynamodb: DynamoDbProcess, change: dict[str, Any], reason: str
) -> None:
    store = DynamoDbAppStore(changed(dynamodb.options, **change))
    with pytest.raises(DriverError, match=reason) as error:
        await store.start()
    assert "(database.dynamodb)" in str(error.value)
    assert "a-secret" not in str(error.value)
    await store.aclose()


async def test_a_database_that_hangs_is_used_again_afterwards(
    dynamodb: DynamoDbProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DynamoDbAppStore(dynamodb.options)
    await store.start()
    await store.migrate()
    monkeypatch.setattr("sockudo.apps.database.dynamodb._TIMEOUT", 0.5)
    dynamodb.freeze()
    try:
        with pytest.raises(DriverError, match=r"no answer in 0\.5 s"):
            await store.find_by_id("app")
    finally:
        dynamodb.thaw()
    monkeypatch.undo()
    assert await store.find_by_id("nobody") is None
    await store.aclose()


@pytest.mark.parametrize("url", ["http://ann:TOPSECRET@127.0.0.1:1", "http://127.0.0.1:1/TOPSECRET"])
async def test_an_error_does_not_quote_the_address_of_the_endpoint(url: str) -> None:
    section = DynamoDbSettings(endpoint_url=url, aws_access_key_id="an-access-key", aws_secret_access_key="a-secret")
    store = DynamoDbAppStore(DynamoDbOptions(section))
    with pytest.raises(DriverError, match=r"dynamodb at 127\.0\.0\.1:1 cannot be used") as error:
        await store.start()
    assert "SECRET" not in str(error.value)
