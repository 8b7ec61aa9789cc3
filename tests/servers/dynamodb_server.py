"""What stands in for Amazon DynamoDB: the server of moto, over HTTP. It is no database, and checks no credentials."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session

from sockudo.apps.database.options import DynamoDbOptions
from sockudo.config.sections.dynamodb import DynamoDbSettings
from tests.servers.broker_process import BrokerProcess
from tests.servers.ports import free_port


class DynamoDbProcess(BrokerProcess):
    """`moto_server`; its tables are gone when it ends."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        super().__init__(command, folder, self._greets)

    @property
    def options(self) -> DynamoDbOptions:
        """How a store reaches it."""
        url = f"http://127.0.0.1:{self.port}"
        login = {"aws_access_key_id": "an-access-key", "aws_secret_access_key": "a-secret"}
        return DynamoDbOptions(DynamoDbSettings(region="eu-west-1", endpoint_url=url, **login))

    async def call(self, table: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Do something to a table, beside the server."""
        section = self.options.section
        place = {"region_name": section.region, "endpoint_url": section.endpoint_url}
        login = {name: getattr(section, name) for name in ("aws_access_key_id", "aws_secret_access_key")}
        async with get_session().create_client("dynamodb", **place, **login) as client:
            answer: dict[str, Any] = await getattr(client, operation)(TableName=table, **arguments)
        return answer

    def _greets(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True


@pytest.fixture(scope="session")
def dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDbProcess]:
    """One server for the run; who stops it starts it again, without its tables."""
    server = DynamoDbProcess(tmp_path_factory.mktemp("dynamodb"))
    server.start()
    yield server
    server.stop()
