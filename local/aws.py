"""Clients and environments that can only reach the emulator, whatever AWS settings the machine has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config

from local.places import SAM_PYTHON, Places

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

# Lambda's own limit is longer than any client should wait; a cold start of a big function takes two seconds.
_CONFIG = Config(connect_timeout=2, read_timeout=60, retries={"total_max_attempts": 2}, proxies={})


class EmulatedAws:
    """Clients for the emulator at `endpoint_url`."""

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
        self.session = boto3.Session(
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            region_name=REGION,
            botocore_session=isolated,
        )

    def apigateway(self) -> APIGatewayClient:
        """Return a client for REST APIs."""
        return self.session.client("apigateway", endpoint_url=self.endpoint_url, config=_CONFIG)

    def cloudformation(self) -> CloudFormationClient:
        """Return a client for stacks."""
        return self.session.client("cloudformation", endpoint_url=self.endpoint_url, config=_CONFIG)

    def dynamodb(self) -> DynamoDBClient:
        """Return a client for tables."""
        return self.session.client("dynamodb", endpoint_url=self.endpoint_url, config=_CONFIG)

    def events(self) -> EventBridgeClient:
        """Return a client for event buses."""
        return self.session.client("events", endpoint_url=self.endpoint_url, config=_CONFIG)

    def functions(self) -> LambdaClient:
        """Return a client for functions."""
        return self.session.client("lambda", endpoint_url=self.endpoint_url, config=_CONFIG)

    def queues(self) -> SQSClient:
        """Return a client for queues."""
        return self.session.client("sqs", endpoint_url=self.endpoint_url, config=_CONFIG)

    def s3(self) -> S3Client:
        """Return a client for objects."""
        return self.session.client("s3", endpoint_url=self.endpoint_url, config=_CONFIG)


def tool_environment(places: Places, endpoint_url: str) -> dict[str, str]:
    """Return the environment in which `sam` runs: the caller's, without any of its AWS settings.

    The rest of the caller's environment stays, as a proxy or a package mirror may be needed to build the layers.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_CLI_", "PYTHON"))
    }
    loopback = ",".join(filter(None, [environment.get("NO_PROXY"), "127.0.0.1,localhost"]))
    return environment | {
        "PATH": f"{SAM_PYTHON.parent}{os.pathsep}{environment.get('PATH', '')}",
        "TMPDIR": str(places.temporary_dir),
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS": "1",  # the template has loops
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "1",
        "__SAM_CLI_APP_DIR": str(places.sam_dir / "settings"),
    }
