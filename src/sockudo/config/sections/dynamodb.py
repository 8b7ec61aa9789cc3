"""`database.dynamodb`: apps in Amazon DynamoDB."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sockudo.config.kinds.database_names import DynamoDbName
from sockudo.config.kinds.section import Section, also, env
from sockudo.config.kinds.values import OptionalWords, Words
from sockudo.config.kinds.web_values import WebUrl


class DynamoDbSettings(Section):
    """Apps in Amazon DynamoDB (driver `dynamodb`).

    Without a key or a profile, the AWS libraries find the credentials.
    """

    region: Annotated[Words, env("DATABASE_DYNAMODB_REGION", "AWS_REGION")] = Field(
        default="us-east-1", description="AWS region."
    )
    table_name: Annotated[DynamoDbName, env("DATABASE_DYNAMODB_TABLE_NAME")] = Field(
        default="sockudo-applications", description="Table of the apps; the server makes it if it does not exist."
    )
    endpoint_url: Annotated[str | None, WebUrl(), also("endpoint"), env("DATABASE_DYNAMODB_ENDPOINT_URL")] = Field(
        default=None, repr=False, description="Endpoint, if it is not AWS. Also `endpoint`."
    )
    aws_access_key_id: Annotated[
        OptionalWords, also("access_key"), env("DATABASE_DYNAMODB_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID")
    ] = Field(default=None, description="Id of an access key, with its secret. Also `access_key`.")
    aws_secret_access_key: Annotated[
        OptionalWords, also("secret_key"), env("DATABASE_DYNAMODB_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY")
    ] = Field(default=None, repr=False, description="The secret of the access key. Also `secret_key`.")
    aws_session_token: Annotated[OptionalWords, env("DATABASE_DYNAMODB_SESSION_TOKEN", "AWS_SESSION_TOKEN")] = Field(
        default=None, repr=False, description="Token of a temporary access key. Not a setting of the original."
    )
    aws_profile_name: Annotated[OptionalWords, also("profile_name")] = Field(
        default=None, description="Profile of the AWS configuration files, instead of a key. Also `profile_name`."
    )
