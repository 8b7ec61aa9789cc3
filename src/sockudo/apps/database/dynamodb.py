"""Apps in Amazon DynamoDB."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError

from sockudo.apps.database.options import DynamoDbOptions
from sockudo.apps.database.record import PROPERTIES, PropertyKind, Record, json_text, read_record
from sockudo.apps.database.store import AppExistsError, Migration
from sockudo.errors import DriverError

_TIMEOUT: Final = 5.0
_LONGEST_REASON: Final = 300
_SETTING: Final = "database.dynamodb"
_KEY_INDEX: Final = "KeyIndex"
_THROUGHPUT: Final = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
_KEY_INDEX_SHAPE: Final = {
    "IndexName": _KEY_INDEX,
    "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
    "ProvisionedThroughput": _THROUGHPUT,
}
_NAMES: Final = [{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "key", "AttributeType": "S"}]
# A new table or index is usable after some seconds.
_POLL: Final = 1.0
_POLLS: Final = 30


class DynamoDbAppStore:
    """The `AppStore` of DynamoDB: ids are unique, keys are found through an index that may be a moment behind.

    DynamoDB does not refuse two apps that are created at the same time with the same key.
    """

    def __init__(self, options: DynamoDbOptions) -> None:
        self.largest_count: int | None = None
        self._options = options
        self._table = options.section.table_name
        self._open = contextlib.AsyncExitStack()
        self._client: Any = None

    # Getting ready

    async def start(self) -> None:
        section = self._options.section
        try:
            session = AioSession(profile=section.aws_profile_name)
            self._client = await self._open.enter_async_context(
                session.create_client(
                    "dynamodb",
                    region_name=section.region,
                    endpoint_url=section.endpoint_url,
                    aws_access_key_id=section.aws_access_key_id,
                    aws_secret_access_key=section.aws_secret_access_key,
                    aws_session_token=section.aws_session_token,
                    config=AioConfig(connect_timeout=2, read_timeout=_TIMEOUT, retries={"total_max_attempts": 2}),
                )
            )
            await self._describe()
        except DriverError:
            await self.aclose()
            raise
        except Exception as error:
            # The library has many errors for bad credentials or a bad region.
            await self.aclose()
            raise self._unusable(error) from None

    async def migrate(self) -> Migration:
        """Make the table, or its missing index of keys, and wait until they can be used."""
        result = Migration()
        found = await self._describe()
        if found is None:
            refusal = await self._change_schema(
                "create_table",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=_NAMES,
                GlobalSecondaryIndexes=[_KEY_INDEX_SHAPE],
                ProvisionedThroughput=_THROUGHPUT,
            )
            if await self._describe() is None:
                raise DriverError(f"there is no table {self._table}, and it cannot be made: {refusal}")
            result.done.append(f"made the table {self._table}")
        elif _index_of(found) is None:
            refusal = await self._change_schema(
                "update_table",
                AttributeDefinitions=_NAMES,
                GlobalSecondaryIndexUpdates=[{"Create": _index_for(found)}],
            )
            if _index_of(await self._describe() or {}) is None:
                raise DriverError(f"the table {self._table} has no index {_KEY_INDEX}, and none can be made: {refusal}")
            result.done.append(f"made the index {_KEY_INDEX} of the table {self._table}")
        await self._usable()
        return result

    async def _describe(self) -> Mapping[str, Any] | None:
        try:
            answer = await self._call("describe_table")
        except _Refused as refused:
            if refused.code == "ResourceNotFoundException":
                return None
            raise
        table: Mapping[str, Any] = answer["Table"]
        names = [one["AttributeName"] for one in table["KeySchema"]]
        if names != ["id"]:
            raise DriverError(
                f"the table {self._table} has the key {' and '.join(names)} and not id (database.dynamodb.table_name): "
                "copy the apps into a new table"
            )
        return table

    async def _change_schema(self, call: str, **arguments: Any) -> str | None:
        """Ask for a change; return why it was refused. Another node may already have made it."""
        try:
            await self._call(call, **arguments)
        except DriverError as error:
            return str(error)
        return None

    async def _usable(self) -> None:
        for _ in range(_POLLS):
            table = await self._describe() or {}
            index = _index_of(table) or {}
            # The index may still be building when the table can be read already.
            if table.get("TableStatus") in ("ACTIVE", "UPDATING") and index.get("IndexStatus") == "ACTIVE":
                return
            await asyncio.sleep(_POLL)
        raise self._unusable(f"the table {self._table} was not ready after {_POLL * _POLLS:g} s")

    # Questions

    async def find_by_id(self, app_id: str) -> Record | None:
        answer = await self._call("get_item", Key={"id": {"S": app_id}}, ConsistentRead=True)
        return _record(answer["Item"]) if "Item" in answer else None

    async def find_by_key(self, key: str) -> Record | None:
        # The index may be a moment behind its table, so the app itself decides.
        async for item in self._items(
            "query",
            IndexName=_KEY_INDEX,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": "key"},
            ExpressionAttributeValues={":key": {"S": key}},
        ):
            record = await self.find_by_id(item["id"]["S"])
            if record is not None and record["key"] == key:
                return record
        return None

    async def all(self) -> list[Record]:
        return [_record(item) async for item in self._items("scan", ConsistentRead=True)]

    async def has_any(self) -> bool:
        answer = await self._call("scan", Limit=1)
        return bool(answer["Items"])

    async def _items(self, call: str, **arguments: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the items of every page."""
        while True:
            answer = await self._call(call, **arguments)
            for item in answer["Items"]:
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    # Changes

    async def create(self, record: Record) -> None:
        item = {name: value for name, value in _attributes(record).items() if value is not None}
        try:
            await self._call("put_item", Item=item, ConditionExpression="attribute_not_exists(id)")
        except _Refused as refused:
            if refused.code != "ConditionalCheckFailedException":
                raise
            raise AppExistsError(f"there is an app with the id {record['id']} already") from None

    async def update(self, record: Record) -> bool:
        attributes = _attributes(record)
        app_id = attributes.pop("id")
        # Not the whole item, so that attributes of other programs stay.
        kept = [name for name, value in attributes.items() if value is not None]
        gone = [name for name, value in attributes.items() if value is None]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in kept)
        if gone:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        return await self._on_existing(
            "update_item",
            Key={"id": app_id},
            UpdateExpression=expression,
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
            ExpressionAttributeValues={f":{name}": attributes[name] for name in kept},
        )

    async def delete(self, app_id: str) -> bool:
        return await self._on_existing("delete_item", Key={"id": {"S": app_id}})

    async def _on_existing(self, call: str, **arguments: Any) -> bool:
        try:
            await self._call(call, ConditionExpression="attribute_exists(id)", **arguments)
        except _Refused as refused:
            if refused.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    # The library

    async def _call(self, name: str, **arguments: Any) -> Any:
        assert self._client is not None, "the store was started"
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await getattr(self._client, name)(TableName=self._table, **arguments)
        except TimeoutError:
            raise self._unusable(f"no answer in {_TIMEOUT:g} s") from None
        except ClientError as error:
            problem = error.response.get("Error", {})
            code, text = problem.get("Code", ""), problem.get("Message", "")
            raise _Refused(str(self._unusable(f"{code} {text}".strip())), code) from None
        except Exception as error:
            # The network layer below the library has errors of its own.
            raise self._unusable(error) from None

    def _unusable(self, reason: str | Exception) -> DriverError:
        text = reason if isinstance(reason, str) else str(reason) or type(reason).__name__
        endpoint_url = self._options.section.endpoint_url
        if endpoint_url is not None:
            text = text.replace(endpoint_url, self._options.place)
        return DriverError(f"{self._options.place} cannot be used ({_SETTING}): {text[:_LONGEST_REASON]}")

    async def aclose(self) -> None:
        self._client = None
        await self._open.aclose()


class _Refused(DriverError):
    """DynamoDB has answered, with an error code."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


def _index_of(table: Mapping[str, Any]) -> Mapping[str, Any] | None:
    indexes: list[Mapping[str, Any]] = table.get("GlobalSecondaryIndexes") or []
    return next((index for index in indexes if index["IndexName"] == _KEY_INDEX), None)


def _index_for(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the index of keys for an existing table; with payment by request, it must not name a throughput."""
    mode = (table.get("BillingModeSummary") or {}).get("BillingMode")
    return {
        name: value
        for name, value in _KEY_INDEX_SHAPE.items()
        if name != "ProvisionedThroughput" or mode != "PAY_PER_REQUEST"
    }


def _attributes(record: Record) -> dict[str, dict[str, Any] | None]:
    """Return the attributes of a record; None for those to remove."""
    return {name: _attribute(name, kind, record[name]) for name, kind, *_ in PROPERTIES}


def _attribute(name: str, kind: PropertyKind, value: Any) -> dict[str, Any] | None:
    if value is None or (kind is PropertyKind.JSON and not value):
        return None
    if name == "allowed_origins":
        return {"L": [{"S": origin} for origin in value]}
    if kind is PropertyKind.JSON:
        return {"S": json_text(value)}
    if kind is PropertyKind.COUNT:
        return {"N": str(value)}
    return {"BOOL": value} if kind is PropertyKind.FLAG else {"S": value}


def _record(item: Mapping[str, Any]) -> Record:
    return read_record({name: _value(attribute) for name, attribute in item.items()})


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "NULL":
        return None
    if kind == "L":
        return [_value(entry) for entry in value]
    if kind == "M":
        return {name: _value(entry) for name, entry in value.items()}
    # BOOL, S and SS hold the value itself; N is a number as text.
    return value
