"""Two businesses to try the service with, created by the operators' commands of the service."""

from __future__ import annotations

import contextlib
import json
import shlex
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict

import httpx

from local.places import EVENTS
from ops.aws import REGION, EmulatedAws
from ops.errors import CommandError, FunctionError
from ops.http_api import ADJUSTMENTS, APP, DOCS, Api
from ops.stacks import Target, explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from local.deployment import Deployment
    from local.places import Places

WRITER_SCOPES = ("adjustments:write", "adjustments:read", "adjustments:reverse")
READER_SCOPES = ("adjustments:read",)
OPENING_QUANTITY = 100
_OUTPUTS = ("AdjustmentRequestsQueueUrl", "EventBusName", "CreateAdjustmentFunctionName", "ProvisionFunctionName")
# Applied to the demo data as it stands in events/: the group that the samples of reading and reversing one name.
_DELIVERY = "create-adjustment-batch-direct"
# Registered with the demo data, so that the samples in events/ work in any order: others of them deactivate these.
_SAMPLES = ("provision-register-location", "provision-register-reason", "provision-register-variant")


class Location(TypedDict):
    """A location of demo.json."""

    id: str
    name: str


class Variant(TypedDict):
    """A variant of demo.json."""

    id: str
    sku: str
    name: str


class Business(TypedDict):
    """One business of demo.json."""

    id: str
    name: str
    token: str
    read_only_token: str
    default_location_id: str
    location_ids: list[str]
    variant_ids: list[str]
    locations: list[Location]
    variants: list[Variant]


class Demo(TypedDict):
    """The whole of demo.json."""

    base_url: str
    endpoint_url: str
    region: str
    outputs: dict[str, str]
    businesses: list[Business]


@dataclass(frozen=True, slots=True)
class _Shop:
    name: str
    locations: Sequence[str]  # the first is the default
    skus: Mapping[str, str]

    @property
    def business_id(self) -> str:
        return self._id("business", self.name)

    @property
    def location_ids(self) -> dict[str, str]:
        return {location: self._id("location", location) for location in self.locations}

    @property
    def default_location_id(self) -> str:
        return self._id("location", self.locations[0])

    @property
    def variant_ids(self) -> dict[str, str]:
        return {sku: self._id("variant", sku) for sku in self.skus}

    def described(self, token: str, read_only_token: str) -> Business:
        """Return demo.json's entry; but for the tokens it is the same in every run."""
        return {
            "id": self.business_id,
            "name": self.name,
            "token": token,
            "read_only_token": read_only_token,
            "default_location_id": self.default_location_id,
            "location_ids": list(self.location_ids.values()),
            "variant_ids": list(self.variant_ids.values()),
            "locations": [{"id": location_id, "name": name} for name, location_id in self.location_ids.items()],
            "variants": [
                {"id": variant_id, "sku": sku, "name": self.skus[sku]} for sku, variant_id in self.variant_ids.items()
            ],
        }

    def registrations(self) -> Iterator[dict[str, Any]]:
        """Return the operators' commands that make the business and its catalog, in their order."""
        business_id = self.business_id
        yield {"command": "register_business", "name": self.name, "business_id": business_id}
        for location, location_id in self.location_ids.items():
            fields = {"name": location, "location_id": location_id, "default": location_id == self.default_location_id}
            yield {"command": "register_location", "business_id": business_id, **fields}
        for sku, variant_id in self.variant_ids.items():
            fields = {"sku": sku, "name": self.skus[sku], "variant_id": variant_id}
            yield {"command": "register_variant", "business_id": business_id, **fields}
        yield from self._samples(*_SAMPLES)

    def changes(self) -> Iterator[dict[str, Any]]:
        """Return what the business's stock begins with: each variant at the default location, and a delivery."""
        yield from (self.opening_stock(sku) for sku in self.skus)
        yield from self._samples(_DELIVERY)

    def opening_stock(self, sku: str) -> dict[str, object]:
        """Return the adjustment that a variant begins with, at the default location."""
        return {
            "business_id": self.business_id,
            "variant_id": self.variant_ids[sku],
            "location_id": self.default_location_id,
            "quantity_change": OPENING_QUANTITY,
            "reason": "Opening stock",
            "reason_code": "found",
            "idempotency_key": f"opening-stock-{sku}",
            "actor": "demo",
        }

    def _samples(self, *names: str) -> Iterator[dict[str, Any]]:
        """Return those of the samples that are for this business."""
        for name in names:
            payload = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
            if payload["business_id"] == self.business_id:
                yield payload

    def _id(self, kind: str, name: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}.{name}.{self.name}.demo.invalid"))


SHOPS = (
    _Shop(
        name="Alder & Ash Outfitters",
        locations=("Warehouse", "Shop floor"),
        skus={"TENT-2P-GRN": "Two-person tent, green", "BOOT-42": "Hiking boot, size 42", "MUG-ENAMEL": "Enamel mug"},
    ),
    _Shop(
        name="Birch Street Books",
        locations=("Main store", "Stockroom", "Market stall"),
        skus={"ATLAS-01": "World atlas", "NOTEBOOK-A5": "Notebook, A5", "PENCIL-HB": "Pencil, HB"},
    ),
)


def provision_demo(places: Places, deployment: Deployment) -> Demo:
    """Create what is missing of the demo data, write demo.json and return what is in it.

    Repeating it changes nothing: ids are fixed, the opening stock has an idempotency key, and tokens that still work
    are kept, since the service shows a token only once.

    Raises:
        CommandError: the service refused something.

    """
    target = Target(EmulatedAws(deployment.endpoint_url).functions(), deployment.outputs)
    earlier = {business["id"]: business for business in _earlier_businesses(places)}
    businesses = []
    for shop in SHOPS:
        known = earlier.get(shop.business_id)
        # Tokens are issued last and saved with the rest, so where they work the rest is there too.
        if known is None or not _is_of(shop, known) or not _tokens_work(deployment.base_url, known):
            known = _provision_shop(target, deployment.base_url, shop)
        businesses.append(known)
    demo: Demo = {
        "base_url": deployment.base_url,
        "endpoint_url": deployment.endpoint_url,
        "region": REGION,
        "outputs": dict(deployment.outputs),
        "businesses": businesses,
    }
    _write_privately(places.demo_json, json.dumps(demo, indent=2) + "\n")
    places.previous_demo_json.unlink(missing_ok=True)
    return demo


def read_demo(places: Places) -> Demo:
    """Return what the running stack's demo.json says."""
    demo: Demo = json.loads(places.demo_json.read_text(encoding="utf-8"))
    return demo


def withdraw_demo(places: Places) -> None:
    """Put demo.json aside while the stack starts: a client that waits for the file must not find the last run's."""
    if places.demo_json.exists():
        places.demo_json.replace(places.previous_demo_json)


def shell_variables(demo: Demo) -> str:
    """Write the first business, what it can adjust, its token and where the stack answers as assignments for a shell.

    Outputs of the stack keep their names, as the pages' commands use them.
    """
    business = demo["businesses"][0]
    variables = {
        "BASE_URL": demo["base_url"],
        "ENDPOINT_URL": demo["endpoint_url"],
        "TOKEN": business["token"],
        "BUSINESS": business["id"],
        "VARIANT": business["variant_ids"][0],
        "LOCATION": business["default_location_id"],
    } | {name: demo["outputs"][name] for name in _OUTPUTS}
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def curl_command(demo: Demo, base_url: str) -> str:
    """Return a command that creates an adjustment through the API at `base_url` when it is pasted into a shell."""
    business = demo["businesses"][0]
    # An increase is always taken, however often this was pasted before.
    body = json.dumps(
        {"variant_id": business["variant_ids"][0], "quantity_change": 3, "reason": "Found while counting"}
    )
    return (
        f"curl -i -w '\\n' {base_url}{ADJUSTMENTS} \\\n"
        f"  -H 'Authorization: Bearer {business['token']}' -H 'x-business-id: {business['id']}' \\\n"
        f"  -H 'Content-Type: application/json' -d '{body}'"
    )


def docs_page(demo: Demo) -> str:
    """Return the address of the page to read and try the API."""
    return f"{demo['base_url']}{DOCS}"


def stock_page(demo: Demo) -> str:
    """Return the address of the page for stock controllers."""
    return f"{demo['base_url']}{APP}"


def _provision_shop(target: Target, base_url: str, shop: _Shop) -> Business:
    business_id = shop.business_id

    for command in shop.registrations():
        _operate(target, command)
    for change in shop.changes():
        _invoke(target, "CreateAdjustmentFunctionName", change)

    def issue(role: str, scopes: Sequence[str]) -> str:
        fields = {"subject": f"demo {role}", "business_ids": [business_id], "scopes": list(scopes)}
        token: str = _operate(target, {"command": "issue_token", **fields})["token"]
        return token

    business = shop.described(issue("writer", WRITER_SCOPES), issue("reader", READER_SCOPES))
    if not _tokens_work(base_url, business):
        raise CommandError(f"the API at {base_url} refuses tokens that were just issued")
    return business


def _is_of(shop: _Shop, known: Business) -> bool:
    """Whether an earlier entry has all that one has now."""
    return known == shop.described(known["token"], known["read_only_token"])


def _earlier_businesses(places: Places) -> list[Business]:
    businesses: list[Business] = []
    for path in (places.previous_demo_json, places.demo_json):
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
            businesses = json.loads(path.read_text(encoding="utf-8"))["businesses"]
    return businesses


def _operate(target: Target, command: Mapping[str, object]) -> dict[str, Any]:
    return _invoke(target, "ProvisionFunctionName", command)


def _invoke(target: Target, output: str, payload: Mapping[str, object]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = target.invoke(output, payload)
    except FunctionError as error:
        what = payload.get("command", "the opening stock")
        raise CommandError(f"{target.outputs[output]} refused {what}: {explained(error)}") from None
    return answer


def _tokens_work(base_url: str, business: Business) -> bool:
    """Return whether the API takes both tokens for what they are meant for, by requests that change nothing.

    An empty creation is invalid and an unknown adjustment is not found, but either answer comes after the token was
    accepted. The requests also leave the functions of the first real request warm.
    """
    with httpx.Client(timeout=30, trust_env=False) as http:
        writer, reader = (
            Api.of(base_url, http, token=token, business_id=business["id"])
            for token in (business["token"], business["read_only_token"])
        )
        return (
            writer.post(ADJUSTMENTS, {}).status == HTTPStatus.UNPROCESSABLE_ENTITY
            and reader.get(f"{ADJUSTMENTS}/{uuid.UUID(int=0)}").status == HTTPStatus.NOT_FOUND
        )


def _write_privately(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only: it holds tokens."""
    unfinished = path.with_suffix(".tmp")
    unfinished.unlink(missing_ok=True)
    unfinished.touch(mode=0o600)
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
