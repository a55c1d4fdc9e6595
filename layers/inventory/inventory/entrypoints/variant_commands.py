"""The operators' commands on variants: each writes a variant and the claim on its SKU in one transaction."""

from __future__ import annotations

from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Final, NamedTuple

from inventory.domain.catalog import Registration, VariantCatalog
from inventory.domain.errors import (
    BusinessNotFound,
    InvalidRequest,
    ServiceError,
    SkuTaken,
    StoreUnavailable,
    TryAgain,
    VariantNotFound,
)
from inventory.entrypoints.settling import settled
from inventory.schemas.problems import entry
from inventory.storage import cursors, keys
from inventory.storage.catalog import (
    Change,
    claim_values,
    claimed_by,
    variant_id_of,
    variant_of,
    variant_values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from inventory.domain.catalog import Variant
    from inventory.domain.retry_budget import RetryBudget
    from inventory.schemas.provisioning import ClaimSkus, VariantEntry
    from inventory.storage.catalog import Catalog
    from inventory.storage.items import Item
    from inventory.storage.keys import ItemKey
    from inventory.storage.lookups import Lookups

    type Duplicate = dict[str, str | None]

AT_ONCE: Final = 33
"""Variants of one transaction: each takes the variant itself, the claim on its SKU and the release of another one."""

CLAIM_PAGE: Final = 10 * AT_ONCE
"""Variants that one ``claim_skus`` looks at."""


class VariantCommands(NamedTuple):
    """Carries out the commands. ``new_id`` makes an id, ``clock`` gives the time.

    Each method raises ``BusinessNotFound`` for an unknown business, and ``StoreUnavailable`` if it is not settled in
    time.
    """

    catalog: Catalog
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]

    def register(self, business_id: UUID, fields: VariantEntry, budget: RetryBudget) -> UUID:
        """Register one variant, and return its id.

        Raises:
            SkuTaken: another active variant has the SKU.
            InvalidRequest: a new variant needs a SKU.
        """
        (registered,) = self._settle(business_id, [self._registration(fields)], budget)
        if isinstance(registered, ServiceError):
            raise registered
        return registered

    def register_many(
        self, business_id: UUID, several: Iterable[VariantEntry], budget: RetryBudget
    ) -> list[UUID | ServiceError]:
        """Register variants one after the other; for each, return its id or its error, ``TryAgain`` included."""
        registrations = [self._registration(fields) for fields in several]
        registered: list[UUID | ServiceError] = []
        for some in batched(registrations, AT_ONCE, strict=False):
            try:
                registered += self._settle(business_id, some, budget)
            except StoreUnavailable:
                break
        return registered + [TryAgain()] * (len(registrations) - len(registered))

    def deactivate(self, business_id: UUID, variant_id: UUID, budget: RetryBudget) -> None:
        """Take a variant out of use until it is registered again, and release its SKU.

        Raises:
            VariantNotFound: the business never had such a variant.
        """

        def decide(state: VariantCatalog) -> bool:
            if variant_id not in state.variants:
                raise VariantNotFound
            state.deactivate(variant_id)
            return True

        settled(budget, partial(self._attempt, business_id, [variant_id], [], decide, self.clock(), budget))

    def claim_page(self, request: ClaimSkus, lookups: Lookups, budget: RetryBudget) -> dict[str, object]:
        """Claim the SKUs of some variants that are active and have no claim. It can be repeated.

        Returns:
            How many were claimed, the variants whose SKU another one has, and the cursor for the rest.
        """
        question = {"command": request.command, "business_id": str(request.business_id)}
        budget.retry(partial(self.catalog.require_businesses, [request.business_id]))
        after = cursors.start(request.cursor, question, _sort_key)
        read = partial(lookups.catalog_page, request.business_id, keys.VARIANTS, after=after, limit=CLAIM_PAGE)
        variants, next_after = budget.retry(read)
        claimed = 0
        duplicates: list[Duplicate] = []
        for some in batched(variants, AT_ONCE, strict=False):
            ids = [variant_id_of(item) for item in some]
            attempt = partial(self._attempt, request.business_id, ids, [], partial(_claim, ids), self.clock(), budget)
            number, found = settled(budget, attempt)
            claimed, duplicates = claimed + number, duplicates + found
        cursor = None if next_after is None else cursors.cursor(next_after, question)
        return {"claimed": claimed, "duplicates": duplicates, "next_cursor": cursor}

    def _registration(self, fields: VariantEntry) -> Registration:
        keeps_name = "name" not in fields.model_fields_set
        return Registration(fields.sku, fields.variant_id, self.new_id(), fields.name, keeps_name)

    def _settle(
        self, business_id: UUID, some: Sequence[Registration], budget: RetryBudget
    ) -> list[UUID | ServiceError]:
        ids = [each.variant_id for each in some if each.variant_id is not None]
        skus = [each.sku for each in some if each.sku is not None]
        decide = partial(_register, some)
        return settled(budget, partial(self._attempt, business_id, ids, skus, decide, self.clock(), budget))

    def _attempt[T](
        self,
        business_id: UUID,
        variant_ids: Sequence[UUID],
        skus: Sequence[str],
        decide: Callable[[VariantCatalog], T],
        now: datetime,
        budget: RetryBudget,
    ) -> T | None:
        """Read, decide and write once; None where another writer was faster."""
        seen = _Seen(business_id, self.catalog)
        seen.read(variant_ids, skus, budget)
        state = VariantCatalog(seen.variants(), seen.claims())
        answer = decide(state)
        budget.require_time()
        return answer if self.catalog.write(seen.changes(state), now) else None


def _register(some: Iterable[Registration], state: VariantCatalog) -> list[UUID | ServiceError]:
    registered: list[UUID | ServiceError] = []
    for each in some:
        try:
            registered.append(state.register(each) or _sku_missing())
        except SkuTaken as error:
            registered.append(error)
    return registered


def _sku_missing() -> InvalidRequest:
    return InvalidRequest([entry(["body", "sku"], "missing", "Field required", given=None)])


def _claim(variant_ids: Iterable[UUID], state: VariantCatalog) -> tuple[int, list[Duplicate]]:
    """Claim what is free; return how many, and the variants whose SKU another active one has."""
    claimed = 0
    duplicates: list[Duplicate] = []
    for variant_id in variant_ids:
        try:
            claimed += state.claim(variant_id)
        except SkuTaken as error:
            sku = state.variants[variant_id].sku
            duplicates.append({"sku": sku, "variant_id": str(variant_id), "claimed_by": str(error.variant_id)})
    return claimed, duplicates


def _sort_key(text: str) -> str:
    """Read the sort key that a page begins after.

    Raises:
        ValueError: it is not a variant's.
    """
    if not text.startswith(keys.VARIANTS):
        raise ValueError(text)
    return text


class _Seen:
    """The items of some variants and claims as they were read."""

    def __init__(self, business_id: UUID, catalog: Catalog) -> None:
        self._business_id = business_id
        self._catalog = catalog
        self._variant_keys: dict[UUID, ItemKey] = {}
        self._claim_keys: dict[str, ItemKey] = {}
        self._items: dict[ItemKey, Item] = {}

    def read(self, variant_ids: Sequence[UUID], skus: Sequence[str], budget: RetryBudget) -> None:
        """Read the variants, the claims on ``skus`` and on the variants' own SKUs, and the variants that have these.

        Raises:
            BusinessNotFound: there is no such business.
        """
        settings_key = keys.settings_key(self._business_id)
        self._fetch([settings_key], variant_ids, skus)
        if settings_key not in self._items:
            raise BusinessNotFound
        own = [variant.sku for variant in self.variants().values() if variant.sku is not None]
        for more_skus in (own, []):
            claimants = set(self.claims().values())
            if not (claimants <= self._variant_keys.keys() and self._claim_keys.keys() >= set(more_skus)):
                budget.require_time()
                self._fetch([], claimants, more_skus)

    def _fetch(self, others: Iterable[ItemKey], variant_ids: Iterable[UUID], skus: Iterable[str]) -> None:
        variants = {each: keys.variant_key(self._business_id, each) for each in variant_ids}
        claims = {each: keys.sku_key(self._business_id, each) for each in skus}
        known = {*self._variant_keys.values(), *self._claim_keys.values()}
        wanted = [key for key in (*others, *variants.values(), *claims.values()) if key not in known]
        self._items |= self._catalog.items(wanted)
        self._variant_keys |= variants
        self._claim_keys |= claims

    def variants(self) -> dict[UUID, Variant]:
        """Return the variants that exist."""
        return {each: variant_of(self._items[key]) for each, key in self._variant_keys.items() if key in self._items}

    def claims(self) -> dict[str, UUID]:
        """Return the claims that exist."""
        return {sku: claimed_by(self._items[key]) for sku, key in self._claim_keys.items() if key in self._items}

    def changes(self, after: VariantCatalog) -> list[Change]:
        """Make the changes to a later state.

        A claim only changes together with the variants that it is taken from and given to, so the condition on these is
        also one on their claims as they will be. But the read can show a variant after another command's transaction,
        and its claim before: where a variant comes or goes, its claims must be as seen even if they stay so.
        """
        variants, claims = self.variants(), self.claims()
        skus = [sku for sku in {**claims, **after.claims} if claims.get(sku) != after.claims.get(sku)]
        touched = [each for each, variant in after.variants.items() if variant != variants.get(each)]
        touched += [each for sku in skus for each in (claims.get(sku), after.claims.get(sku)) if each in after.variants]
        for each in touched:
            skus += _skus_to_hold(variants.get(each), after.variants[each])
        return [
            *(self._variant_change(each, after.variants[each]) for each in dict.fromkeys(touched)),
            *(self._claim_change(sku, after.claims.get(sku)) for sku in dict.fromkeys(skus) if sku in self._claim_keys),
        ]

    def _variant_change(self, variant_id: UUID, variant: Variant) -> Change:
        key = keys.variant_key(self._business_id, variant_id)
        return Change(key, self._items.get(key), variant_values(variant))

    def _claim_change(self, sku: str, variant_id: UUID | None) -> Change:
        key = keys.sku_key(self._business_id, sku)
        return Change(key, self._items.get(key), None if variant_id is None else claim_values(sku, variant_id))


def _skus_to_hold(before: Variant | None, after: Variant) -> list[str]:
    """Return the SKUs whose claims must be as they were seen, as the variant comes, goes or gets another SKU."""
    if before is not None and (before.active, before.sku) == (after.active, after.sku):
        return []
    return [each.sku for each in (before, after) if each is not None and each.sku is not None]
