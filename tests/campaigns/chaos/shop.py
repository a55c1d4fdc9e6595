"""A business of a campaign: two variants at two locations, so few stock items that writers meet."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from inventory.api.routes import LIST_LEVELS, REPORT_REASONS
from tests.campaigns.chaos.verdict import Feed, Place
from tests.e2e.service import ADJUSTMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.campaigns.chaos.record import Change, Row
    from tests.e2e.service import Business, Service

REGISTERED_CODE: Final = "promotion"
"""A reason code of the business's own."""


class Variant(NamedTuple):
    """One variant, and the SKU that may name it."""

    id: str
    sku: str


@dataclass(frozen=True, slots=True)
class Shop:
    """``is_overdrawable``: it allows negative stock, so nothing is refused for want of stock."""

    business: Business
    variants: tuple[Variant, ...]
    is_overdrawable: bool

    @classmethod
    def opened(cls, service: Service, *, is_overdrawable: bool) -> Shop:
        """Register one with the service."""
        business = service.new_business(allow_negative_stock=is_overdrawable)
        second = service.operate("register_variant", business_id=business.id, sku="SKU-2")["variant_id"]
        service.operate("register_reason", business_id=business.id, reason_code=REGISTERED_CODE, name="Promotion")
        return cls(business, (Variant(business.variant_id, "SKU-1"), Variant(second, "SKU-2")), is_overdrawable)

    @property
    def locations(self) -> tuple[str, str]:
        return self.business.location_id, self.business.other_location_id

    def places(self) -> Iterator[Place]:
        """Give each stock item."""
        for variant, location_id in product(self.variants, self.locations):
            yield Place(self.business.id, variant.id, location_id)

    # -------------------------------------------------------------------------------------------- what stands in it

    def stock(self) -> dict[Place, tuple[int, int]]:
        """Quantity and sequence of each stock item, from the table."""
        service = self.business.service
        found: dict[Place, tuple[int, int]] = {}
        for variant in self.variants:
            reply = service.dynamodb.query(
                TableName=service.outputs["InventoryTableName"],
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": f"STOCK#{self.business.id}#{variant.id}"}},
                ConsistentRead=True,
            )
            for item in reply["Items"]:
                place = Place(self.business.id, variant.id, item["sk"]["S"])
                found[place] = int(item["quantity"]["N"]), int(item["sequence"]["N"])
        return found

    def levels(self) -> dict[Place, tuple[int, int]]:
        """The same, as the API shows it."""
        return {
            Place(self.business.id, each["variant_id"], each["location_id"]): (each["quantity"], each["sequence"])
            for page in self._pages(LIST_LEVELS.path)
            for each in page["data"]
        }

    def report(self) -> list[dict[str, Any]]:
        """The report by reason over everything: its last page has the sums of all."""
        *_, last = self._pages(REPORT_REASONS.path)
        assert last["complete"], last
        data: list[dict[str, Any]] = last["data"]
        return data

    def group(self, group_id: str) -> list[Row]:
        """All rows of a group, as the API shows them."""
        rows: list[Row] = self.get(f"{ADJUSTMENTS}/groups/{group_id}")["data"]
        return rows

    def export(self) -> Feed:
        """All rows as the export has them, and until when."""
        payload: dict[str, Any] = {"command": "export", "business_id": self.business.id, "format": "ndjson"}
        rows: list[Row] = []
        while True:
            page = self.business.service.invoke("ReadInventoryFunctionName", payload)
            rows += map(json.loads, page["text"].splitlines())
            if page["next_cursor"] is None:
                return Feed(rows, page["created_to"])
            payload["cursor"] = page["next_cursor"]

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Read one page of the API."""
        service = self.business.service
        answer = service.http.get(f"{service.base_url}{path}", params=params, headers=self.business.headers())
        return answer.raise_for_status().json()

    def _pages(self, path: str) -> Iterator[Any]:
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, cursor)
            yield page
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}


def named(change: Change) -> dict[str, object]:
    """The members that name the variant: by its SKU, if it was asked for so."""
    return {"variant_id": change.variant_id} if change.sku is None else {"sku": change.sku}


def line(change: Change, reason: str) -> dict[str, object]:
    """A change or a count as the body of a request of its own, or a line of a batch."""
    what = (
        {"quantity_change": change.delta}
        if change.kind == "adjustment"
        else {"counted_quantity": change.counted_quantity, "counted_at": change.counted_at}
    )
    return {
        **named(change),
        "location_id": change.location_id,
        "reason": reason,
        "reason_code": change.reason_code,
        "expected_quantity": change.expected_quantity,
        **what,
    }
