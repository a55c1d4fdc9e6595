"""The subcommand `import catalog`: variants with their opening stock, from a file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ops.errors import CommandError
from ops.import_files import Column
from ops.stacks import in_words, invoke_until_done

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ops.import_files import Cell, Line, Results
    from ops.stacks import Target

CATALOG_COLUMNS = (
    Column("sku", is_required=True),
    Column("name"),
    Column("opening_quantity", also=("quantity", "opening_stock"), is_integer=True),
    Column("location", also=("location_id", "location_name")),
    Column("variant_id"),
)
CATALOG_RESULTS = ("sku", "variant_id", "adjustment_id")

REASON = "Opening stock"
REASON_CODE = "other"
ACTOR = "import"
_AT_ONCE = 8


class Locations(NamedTuple):
    """The active locations of a business."""

    ids: frozenset[str]
    by_name: Mapping[str, Sequence[str]]
    default_id: str | None

    def find(self, named: str | None) -> str:
        """Return the id of a location that a file names by its id or its name; the default one where it names none.

        Raises:
            CommandError: there is none, or more than one.
        """
        if named is None:
            if self.default_id is None:
                raise CommandError("it names no location, and the business has no default one")
            return self.default_id
        found = self.by_name.get(named) or [each for each in self.ids if each == named.lower()]
        if len(found) != 1:
            raise CommandError(f"{len(found) or 'no'} active locations are called {named!r}")
        return found[0]


def locations_of(target: Target, business_id: str) -> Locations:
    """Ask for all locations of a business.

    Raises:
        CommandError: the service refused, or failed again and again.
    """
    command: dict[str, object] = {"command": "list_locations", "business_id": business_id}
    by_name: dict[str, list[str]] = {}
    default_id: str | None = None
    while True:
        page = invoke_until_done(target, "ProvisionFunctionName", command)
        for each in page["data"]:
            if each["active"]:
                by_name.setdefault(each["name"], []).append(each["location_id"])
                default_id = each["location_id"] if each["default"] else default_id
        if page["next_cursor"] is None:
            ids = frozenset(location_id for found in by_name.values() for location_id in found)
            return Locations(ids, by_name, default_id)
        command = command | {"cursor": page["next_cursor"]}


@dataclass(frozen=True, slots=True)
class CatalogImport:
    """Registers variants and books their opening stock; running it again changes nothing where it was done."""

    target: Target
    business_id: str
    locations: Locations
    done: ClassVar[str] = "imported"

    def carry_out(self, lines: Sequence[Line], results: Results) -> None:
        """Import up to 500 lines.

        Raises:
            CommandError: the service refused them as a whole, or failed again and again.
        """
        registered = self._registered(lines)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for line, cells in zip(lines, pool.map(lambda line: self._opened(line, registered), lines), strict=True):
                results.write(line, **cells)

    def _registered(self, lines: Sequence[Line]) -> dict[str, dict[str, str]]:
        """Register each SKU of some lines once, and return what the service answers for each."""
        by_sku: dict[str, Mapping[str, Cell]] = {}
        for line in lines:
            by_sku.setdefault(str(line.cells["sku"]), line.cells)
        variants = [
            {name: cells[name] for name in ("sku", "name", "variant_id") if name in cells} for cells in by_sku.values()
        ]
        command = {"command": "register_variants", "business_id": self.business_id, "variants": variants}
        answers = invoke_until_done(self.target, "ProvisionFunctionName", command)["variants"]
        return dict(zip(by_sku, answers, strict=True))

    def _opened(self, line: Line, registered: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Book the opening stock of a line, and return the cells of its result."""
        sku, quantity = str(line.cells["sku"]), line.cells.get("opening_quantity", 0)
        answer = registered[sku]
        if "error" in answer:
            return {"sku": sku, "error": in_words(answer["error"])}
        result = {"sku": sku, "variant_id": answer["variant_id"]}
        if quantity == 0:
            return result
        try:
            payload = self._opening_stock(line, answer["variant_id"])
            adjustment = invoke_until_done(self.target, "CreateAdjustmentFunctionName", payload)
        except CommandError as error:
            return result | {"error": str(error)}
        return result | {"adjustment_id": adjustment["id"]}

    def _opening_stock(self, line: Line, variant_id: str) -> dict[str, object]:
        named = line.cells.get("location")
        location_id = self.locations.find(None if named is None else str(named))
        return {
            "business_id": self.business_id,
            "variant_id": variant_id,
            "location_id": location_id,
            "quantity_change": line.cells["opening_quantity"],
            "reason": REASON,
            "reason_code": REASON_CODE,
            "idempotency_key": opening_key(str(line.cells["sku"]), location_id),
            "actor": ACTOR,
        }


def opening_key(sku: str, location_id: str) -> str:
    """Return the key under which a SKU's opening stock at a location is booked once, whatever file it comes from."""
    return f"opening-{sha256(f'{sku}\n{location_id}'.encode()).hexdigest()[:32]}"
