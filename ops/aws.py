"""Clients of AWS with the operator's own credentials, and clients that can only reach the local emulator."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "test"  # noqa: S105 — the emulator takes any  # nosec B105

# A function answers within 60 seconds: an audit is asked for in short parts.
_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3})
_CONFIG_OF_EMULATOR = Config(connect_timeout=2, read_timeout=60, retries={"total_max_attempts": 2}, proxies={})


class Aws:
    """Clients for AWS, with the credentials and the Region that the machine is set up for."""

    endpoint_url: str | None = None

    def __init__(self, session: boto3.Session | None = None, config: Config = _CONFIG) -> None:
        self.session = session or boto3.Session()
        self._config = config

    def apigateway(self) -> APIGatewayClient:
        """Return a client for REST APIs."""
        return self.session.client("apigateway", endpoint_url=self.endpoint_url, config=self._config)

    def cloudformation(self) -> CloudFormationClient:
        """Return a client for stacks."""
        return self.session.client("cloudformation", endpoint_url=self.endpoint_url, config=self._config)

    def dynamodb(self) -> DynamoDBClient:
        """Return a client for tables."""
        return self.session.client("dynamodb", endpoint_url=self.endpoint_url, config=self._config)

    def events(self) -> EventBridgeClient:
        """Return a client for event buses."""
        return self.session.client("events", endpoint_url=self.endpoint_url, config=self._config)

    def functions(self) -> LambdaClient:
        """Return a client for functions."""
        return self.session.client("lambda", endpoint_url=self.endpoint_url, config=self._config)

    def queues(self) -> SQSClient:
        """Return a client for queues."""
        return self.session.client("sqs", endpoint_url=self.endpoint_url, config=self._config)

    def s3(self) -> S3Client:
        """Return a client for objects."""
        return self.session.client("s3", endpoint_url=self.endpoint_url, config=self._config)


class EmulatedAws(Aws):
    """Clients for the emulator at `endpoint_url`, whatever AWS settings the machine has."""

    endpoint_url: str

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        # A profile that is named in the environment but missing would be an error, and one that exists would be used.
        isolated = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        session = boto3.Session(
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            region_name=REGION,
            botocore_session=isolated,
        )
        super().__init__(session, _CONFIG_OF_EMULATOR)
