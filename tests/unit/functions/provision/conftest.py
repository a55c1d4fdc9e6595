"""The provision function, with and without a business."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.harness.provision_service import (
    REGISTER_BUSINESS,
    REGISTER_LOCATION,
    REGISTER_REASON,
    REGISTER_VARIANT,
    Service,
    provision_module,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@pytest.fixture(scope="module")
def module() -> Iterator[ModuleType]:
    with provision_module() as module:
        yield module


@pytest.fixture
def service(module: ModuleType) -> Iterator[Service]:
    service = Service(module)
    yield service
    service.close()


@pytest.fixture
def shop(service: Service) -> Service:
    """A service with one business."""
    service.do(REGISTER_BUSINESS)
    return service


@pytest.fixture
def stocked(shop: Service) -> Service:
    """A service with one business, its location, its variant and its reason code."""
    for each in (REGISTER_LOCATION, REGISTER_VARIANT, REGISTER_REASON):
        shop.do(each)
    return shop
