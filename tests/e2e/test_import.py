"""`make import-…` on the deployed stack."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from inventory.api.routes import LIST_LEVELS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business


def results(path: Path) -> list[dict[str, str]]:
    with path.with_name(f"{path.name}.result.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def quantities(business: Business, variant_id: str) -> dict[str, int]:
    url = f"{business.service.base_url}{LIST_LEVELS.path}"
    answer = business.service.http.get(url, params={"variant_id": variant_id}, headers=business.headers())
    return {level["location_id"]: level["quantity"] for level in answer.json()["data"]}


def test_adjustments_are_imported_once_however_often_and_by_whichever_way(
    business: Business, local_stack: LocalStack, tmp_path: Path
) -> None:
    business.opened_with(5)
    damaged = tmp_path / "damaged.csv"
    lines = "".join(f"{business.variant_id};-2;Damaged\r\n" for _ in range(3))
    damaged.write_text(f"\ufeffVariant ID;Quantity;Reason\r\n{lines}", encoding="utf-8", newline="")
    statuses = []
    for by_queue in ("", "", "1"):
        done = local_stack.make(
            "import-adjustments",
            BUSINESS=business.id,
            FILE=str(damaged),
            TOKEN=business.token,
            BY_QUEUE=by_queue,
        )
        assert ("3 lines sent" if by_queue else "2 lines imported") in done.stdout, done.stderr
        statuses.append([line["status"] for line in results(damaged)])
    assert statuses == [["created", "created", "409"], ["replayed", "replayed", "409"], ["sent"] * 3]
    assert quantities(business, business.variant_id) == {business.location_id: 1}


def test_a_catalog_is_imported_with_its_opening_stock_once_however_often(
    business: Business, local_stack: LocalStack, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog.csv"
    lines = "\ufeffSKU;Name;Opening quantity;Location\r\nBOX;Größe XL;5;\r\nBOX;;3;Other\r\nLID;;;\r\n;;1;\r\n"
    catalog.write_text(lines, encoding="utf-8", newline="")
    for _ in range(2):
        done = local_stack.make("import-catalog", BUSINESS=business.id, FILE=str(catalog))
        assert "3 lines imported" in done.stdout, done.stdout + done.stderr
        assert done.returncode != 0, "a line has no SKU"
    found = {(line["line"], line["error"]): line["variant_id"] for line in results(catalog)}
    assert found.keys() == {("2", ""), ("3", ""), ("4", ""), ("5", "sku missing")}
    opened = {business.location_id: 5, business.other_location_id: 3}
    assert quantities(business, found["2", ""]) == opened
