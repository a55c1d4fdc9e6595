"""The rules of a catalog: SKUs are unique among a business's active variants. Standard library only.

A claim says which active variant has a SKU. It exists exactly while that variant is active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inventory.domain.errors import SkuTaken

if TYPE_CHECKING:
    from uuid import UUID


class Variant(NamedTuple):
    """A variant as it is registered. ``sku`` is None only for one that the service did not write."""

    sku: str | None
    name: str | None
    active: bool


class Registration(NamedTuple):
    """A request to register a variant, or to change it.

    Attributes:
        sku: None keeps the one that the variant has.
        variant_id: None for the variant that has the SKU, or else a new one.
        new_id: the id of a new variant.
        name: None for none.
        keeps_name: whether the variant keeps its name, whatever ``name`` is.
    """

    sku: str | None
    variant_id: UUID | None
    new_id: UUID
    name: str | None = None
    keeps_name: bool = True


class VariantCatalog:
    """Variants of one business with the claims on their SKUs, and what commands make of them, one after the other.

    ``variants`` and ``claims`` contain all that the commands are about; whatever is absent does not exist.
    """

    def __init__(self, variants: dict[UUID, Variant], claims: dict[str, UUID]) -> None:
        self.variants = variants
        self.claims = claims

    def holder(self, sku: str) -> UUID | None:
        """Return the active variant that has a SKU. A claim that is left over from a variant does not count."""
        claimed_by = self.claims.get(sku)
        variant = None if claimed_by is None else self.variants.get(claimed_by)
        return claimed_by if variant is not None and variant.active and variant.sku == sku else None

    def register(self, registration: Registration) -> UUID | None:
        """Register a variant, make it active, and claim its SKU.

        Returns:
            Its id; None, with nothing done, for a new variant without a SKU.

        Raises:
            SkuTaken: another active variant has the SKU. Nothing was done.
        """
        holder = None if registration.sku is None else self.holder(registration.sku)
        variant_id = registration.variant_id or holder or registration.new_id
        before = self.variants.get(variant_id)
        sku = registration.sku if registration.sku is not None or before is None else before.sku
        if sku is None:
            return None
        self._require_free(sku, variant_id)
        self._release(variant_id)
        name = before.name if registration.keeps_name and before is not None else registration.name
        self.variants[variant_id] = Variant(sku, name, active=True)
        self.claims[sku] = variant_id
        return variant_id

    def claim(self, variant_id: UUID) -> bool:
        """Claim the SKU of a variant that is active but has no claim, as it was registered before there were any.

        Returns:
            Whether there was something to do.

        Raises:
            SkuTaken: another active variant has the SKU.
        """
        variant = self.variants.get(variant_id)
        if variant is None or not variant.active or variant.sku is None:
            return False
        self._require_free(variant.sku, variant_id)
        if self.claims.get(variant.sku) == variant_id:
            return False
        self.claims[variant.sku] = variant_id
        return True

    def deactivate(self, variant_id: UUID) -> None:
        """Take a variant out of use, and release its SKU."""
        self._release(variant_id)
        self.variants[variant_id] = self.variants[variant_id]._replace(active=False)

    def _require_free(self, sku: str, variant_id: UUID) -> None:
        holder = self.holder(sku)
        if holder is not None and holder != variant_id:
            raise SkuTaken(variant_id=holder)

    def _release(self, variant_id: UUID) -> None:
        before = self.variants.get(variant_id)
        if before is not None and before.sku is not None and self.claims.get(before.sku) == variant_id:
            del self.claims[before.sku]
