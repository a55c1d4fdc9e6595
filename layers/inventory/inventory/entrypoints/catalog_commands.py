"""The operators' commands on businesses, locations and the reason codes of a business."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from inventory.domain.errors import (
    BusinessNotFound,
    InvalidRequest,
    LocationNotFound,
    ReasonNotFound,
    TooManyReasons,
)
from inventory.domain.uuids import uuid_text
from inventory.entrypoints.settling import settled
from inventory.queries.catalog_lists import REASONS_MAX
from inventory.schemas.problems import entry
from inventory.storage import keys
from inventory.storage.catalog import Change
from inventory.storage.items import default_location_id_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.errors import Refusal
    from inventory.domain.retry_budget import RetryBudget
    from inventory.schemas.provisioning import RegisterBusiness, RegisterLocation, RegisterReason
    from inventory.storage.catalog import Catalog, NewValues, Values
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey
    from inventory.storage.lookups import Lookups

type Found = dict[ItemKey, Item]


class CatalogCommands(NamedTuple):
    """Carries out the commands. What a request leaves out stays as it is; a new item needs a name.

    Each method but the first raises ``BusinessNotFound`` for an unknown business. Each raises ``InvalidRequest`` for a
    new item without a name, and ``StoreUnavailable`` if it is not settled in time.
    """

    catalog: Catalog
    lookups: Lookups
    clock: Callable[[], datetime]

    def register_business(self, business_id: UUID, request: RegisterBusiness, budget: RetryBudget) -> None:
        """Write a business's settings, but not its default location."""
        key = keys.settings_key(business_id)

        def decide(found: Found) -> list[Change]:
            seen, allow = found.get(key), request.allow_negative_stock
            values = _name(seen, request.name)
            if seen is None or allow is not None:
                values |= {"allow_negative_stock": {"BOOL": bool(allow)}}
            return [Change(key, seen, values)]

        self._settle([key], decide, budget)

    def register_location(self, location_id: UUID, request: RegisterLocation, budget: RetryBudget) -> None:
        """Write a location, make it active, and make it the business's default one or the business without."""
        settings_key = keys.settings_key(request.business_id)
        key = keys.location_key(request.business_id, location_id)

        def decide(found: Found) -> list[Change]:
            settings = _settings(found, settings_key)
            values: Values = {**_name(found.get(key), request.name), "active": {"BOOL": True}}
            location = Change(key, found.get(key), values)
            if request.default is None or request.default == (default_location_id_of(settings) == location_id):
                return [location]
            default: Values = {"default_location_id": {"S": uuid_text(location_id)} if request.default else None}
            # A location that stays as it is has no part in it: nothing of a command may appear after its answer.
            return [*([location] if location.alters else []), Change(settings_key, settings, default)]

        self._settle([settings_key, key], decide, budget)

    def deactivate_location(self, business_id: UUID, location_id: UUID, budget: RetryBudget) -> None:
        """Take a location out of use until it is registered again. It may be the default one.

        Raises:
            LocationNotFound: the business never had such a location.
        """
        self._deactivate(business_id, keys.location_key(business_id, location_id), LocationNotFound, budget)

    def register_reason(self, request: RegisterReason, budget: RetryBudget) -> None:
        """Write a reason code and make it active.

        A new one changes the settings too, but only their time. So no two are written from the same number of codes.

        Raises:
            TooManyReasons: the business has as many as it may have.
        """
        settings_key = keys.settings_key(request.business_id)
        key = keys.reason_key(request.business_id, request.reason_code)

        def decide(found: Found) -> list[Change]:
            settings, seen = _settings(found, settings_key), found.get(key)
            values = _name(seen, request.name)
            values |= {"reason_code": {"S": request.reason_code}, "active": {"BOOL": True}}
            if seen is None or request.direction is not None:
                values |= {"direction": {"S": request.direction or "any"}}
            if seen is not None:
                return [Change(key, seen, values)]
            self._require_room(request.business_id, budget)
            return [Change(key, None, values), Change(settings_key, settings, {})]

        self._settle([settings_key, key], decide, budget)

    def deactivate_reason(self, business_id: UUID, reason_code: str, budget: RetryBudget) -> None:
        """Take a reason code out of use until it is registered again.

        Raises:
            ReasonNotFound: the business never had such a code.
        """
        self._deactivate(business_id, keys.reason_key(business_id, reason_code), ReasonNotFound, budget)

    def _require_room(self, business_id: UUID, budget: RetryBudget) -> None:
        budget.require_time()
        reasons, _ = self.lookups.catalog_page(business_id, keys.REASONS, after=None, limit=REASONS_MAX)
        if len(reasons) >= REASONS_MAX:
            raise TooManyReasons

    def _deactivate(self, business_id: UUID, key: ItemKey, absent: type[Refusal], budget: RetryBudget) -> None:
        settings_key = keys.settings_key(business_id)

        def decide(found: Found) -> list[Change]:
            _settings(found, settings_key)
            if key not in found:
                raise absent
            return [Change(key, found[key], {"active": {"BOOL": False}})]

        self._settle([settings_key, key], decide, budget)

    def _settle(self, wanted: list[ItemKey], decide: Callable[[Found], list[Change]], budget: RetryBudget) -> None:
        settled(budget, partial(self._attempt, wanted, decide, self.clock(), budget))

    def _attempt(
        self, wanted: list[ItemKey], decide: Callable[[Found], list[Change]], now: datetime, budget: RetryBudget
    ) -> bool | None:
        changes = decide(self.catalog.items(wanted))
        budget.require_time()
        return self.catalog.write(changes, now) or None


def _settings(found: Found, key: ItemKey) -> Item:
    if key not in found:
        raise BusinessNotFound
    return found[key]


def _name(seen: Item | None, name: str | None) -> NewValues:
    """Make the name's value; none where the item keeps its name."""
    if name is not None:
        return {"name": {"S": name}}
    if seen is None:
        raise InvalidRequest([entry(["body", "name"], "missing", "Field required", given=None)])
    return {}
