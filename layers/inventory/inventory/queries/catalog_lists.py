"""Pages of a business's catalog as it was registered: variants, locations and reasons, active or not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict, get_args

from inventory.domain.model import ReasonCode
from inventory.domain.uuids import uuid_text
from inventory.storage import keys
from inventory.storage.items import default_location_id_of, is_active

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.items import Item
    from inventory.storage.lookups import Lookups

REASONS_MAX: Final = 100
"""Reasons that a business may register, inactive ones included."""


class RegisteredVariant(TypedDict):
    """A variant of the catalog."""

    variant_id: str
    sku: str | None
    name: str | None
    active: bool


class RegisteredLocation(TypedDict):
    """A location of the catalog; ``default``: requests that name none are for this one."""

    location_id: str
    name: str | None
    default: bool
    active: bool


class RegisteredReason(TypedDict):
    """A reason code: one that is built in, or one that the business registered."""

    reason_code: str
    name: str
    direction: str
    active: bool
    built_in: bool


class ListPage(NamedTuple):
    """Entries in an order that never changes. The next page begins after ``next_after``, None at the end."""

    entries: Sequence[RegisteredVariant | RegisteredLocation | RegisteredReason]
    next_after: str | None


BUILT_IN_REASONS: Final = tuple(
    RegisteredReason(
        reason_code=code, name=code.replace("_", " ").capitalize(), direction="any", active=True, built_in=True
    )
    for code in get_args(ReasonCode.__value__)
)


class CatalogLists(NamedTuple):
    """Reads the lists. Each method raises ``StoreUnavailable`` if a part could not be read in time."""

    lookups: Lookups

    def variants(self, business_id: UUID, *, after: UUID | None, limit: int, budget: RetryBudget) -> ListPage:
        """Read variants after one, in the order of their ids."""
        start = None if after is None else keys.variant(after)
        read = partial(self.lookups.catalog_page, business_id, keys.VARIANTS, after=start, limit=limit)
        items, next_after = budget.retry(read)
        return ListPage([_variant(item) for item in items], _id_after(next_after))

    def variant_with_sku(self, business_id: UUID, sku: str, budget: RetryBudget) -> ListPage:
        """Read the active variant with a SKU, if there is one."""
        variant_id = budget.retry(partial(self.lookups.variant_of_sku, business_id, sku))
        if variant_id is None:
            return ListPage([], None)
        key = keys.variant_key(business_id, variant_id)
        found = budget.retry(partial(self.lookups.catalog_items, [key]))
        return ListPage([_variant(item) for item in found.values()], None)

    def locations(self, business_id: UUID, *, after: UUID | None, limit: int, budget: RetryBudget) -> ListPage:
        """Read locations after one, in the order of their ids."""
        start = None if after is None else keys.location(after)
        read = partial(self.lookups.catalog_page, business_id, keys.LOCATIONS, after=start, limit=limit)
        items, next_after = budget.retry(read)
        settings_key = keys.settings_key(business_id)
        settings = budget.retry(partial(self.lookups.catalog_items, [settings_key])).get(settings_key)
        default_id = default_location_id_of(settings)
        return ListPage([_location(item, default_id) for item in items], _id_after(next_after))

    def reasons(self, business_id: UUID, *, after: str | None, limit: int, budget: RetryBudget) -> ListPage:
        """Read reasons after a code: those that are built in first, then the business's in the order of their codes."""
        read = partial(self.lookups.catalog_page, business_id, keys.REASONS, after=None, limit=REASONS_MAX)
        items, _ = budget.retry(read)
        reasons = [*BUILT_IN_REASONS, *map(_reason, items)]
        codes = [each["reason_code"] for each in reasons]
        begin = codes.index(after) + 1 if after in codes else 0
        entries = reasons[begin : begin + limit]
        return ListPage(entries, entries[-1]["reason_code"] if begin + limit < len(reasons) else None)


def _id_after(sort_key: str | None) -> str | None:
    return None if sort_key is None else sort_key.partition("#")[2]


def _variant(item: Item) -> RegisteredVariant:
    return RegisteredVariant(
        variant_id=_id_of(item), sku=_text(item, "sku"), name=_text(item, "name"), active=is_active(item)
    )


def _location(item: Item, default_id: UUID | None) -> RegisteredLocation:
    location_id = _id_of(item)
    return RegisteredLocation(
        location_id=location_id,
        name=_text(item, "name"),
        default=default_id is not None and location_id == uuid_text(default_id),
        active=is_active(item),
    )


def _reason(item: Item) -> RegisteredReason:
    return RegisteredReason(
        reason_code=item["reason_code"]["S"],
        name=item["name"]["S"],
        direction=item["direction"]["S"],
        active=is_active(item),
        built_in=False,
    )


def _id_of(item: Item) -> str:
    return item["sk"]["S"].partition("#")[2]


def _text(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None
