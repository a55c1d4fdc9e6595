"""One emulator a session, and fresh tables, clients and environments a test."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import pytest

from local.emulator import bare_emulator
from local.places import Places
from tests.support.faults.proxy import FaultsProxy
from tests.support.faults.scene import Scene
from tests.support.harness.dynoxide import Dynoxide
from tests.support.harness.emulated_tables import Tables, create_tables
from tests.support.harness.emulator import Clients
from tests.support.harness.shop import Environment, Shop, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


OTHER_ENGINE = os.environ.get("OTHER_ENGINE") == "1"


@pytest.fixture(autouse=True)
def _straight_to_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's own HTTP proxy must not stand between."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty emulator, or of another engine for the tables alone; it ends with the session."""
    folder = tmp_path_factory.mktemp("emulator")
    with Dynoxide(folder) if OTHER_ENGINE else bare_emulator(Places(folder)) as emulator:
        yield emulator.endpoint_url


@pytest.fixture
def clients(endpoint_url: str) -> Iterator[Clients]:
    with closing(Clients(endpoint_url)) as clients:
        yield clients


@pytest.fixture
def proxy(endpoint_url: str) -> Iterator[FaultsProxy]:
    with FaultsProxy(endpoint_url) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def onlooker(endpoint_url: str) -> Iterator[DynamoDBClient]:
    """The tests' own client: for tables, catalogs and checks, never for the code under test."""
    client = boto3.client("dynamodb", endpoint_url=endpoint_url)
    yield client
    client.close()


@pytest.fixture
def tables(onlooker: DynamoDBClient) -> Tables:
    """Tables of the test's own; they end with the emulator."""
    return create_tables(onlooker)


@pytest.fixture
def shop(tables: Tables) -> Shop:
    """An open shop with no stock yet, in tables of its own."""
    return Shop(tables).open()


@pytest.fixture
def service(clients: Clients, tables: Tables) -> Environment:
    """One environment of the service, right after its cold start."""
    return environment(clients.make(), tables)


@pytest.fixture
def scene(clients: Clients, proxy: FaultsProxy, shop: Shop) -> Scene:
    """A shop whose service is behind the proxy, and a rival on a good connection."""
    return Scene(shop, proxy, clients, rival=environment(clients.make(), shop.tables))
