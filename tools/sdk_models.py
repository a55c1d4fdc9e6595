"""``make sdk-models``: cut the SDK's service descriptions down to the operations that the service calls."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from ssl import PEM_cert_to_DER_cert
from typing import TYPE_CHECKING, Any, Final

from botocore.loaders import create_loader

from inventory.aws.amazon_roots import ALL, AMAZON
from inventory.aws.fast_session import MODELS, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_WITH_BINARY_ATTRIBUTES: Final = ("GetItem", "PutItem", "UpdateItem")
"""The operations on items that may hold a binary attribute: those of the access table, for the digest of a token."""

_ATTRIBUTE: Final = "AttributeValue"

_DOCUMENT: Final = "AttributesAsDocument"

_AMAZON_ROOTS: Final = {
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e": "Amazon Root CA 1",
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4": "Amazon Root CA 2",
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4": "Amazon Root CA 3",
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092": "Amazon Root CA 4",
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5": "Starfield Services Root CA - G2",
}
"""By the SHA-256 fingerprints that Amazon Trust Services publishes: https://www.amazontrust.com/repository/"""

_OF_ENDPOINTS = {"endpointdiscovery", "operationContextParams"}
_DRAWN_FOR_EACH_CALL: Final = "idempotencyToken"


def files() -> dict[str, str]:
    """What belongs into ``sdk_models/``: path to text."""
    loader = create_loader()
    made = {
        "endpoints.json": _text(_endpoints_of(loader.load_data("endpoints"))),
        AMAZON.name: _amazon_roots(ALL.read_text(encoding="utf-8")),
    }
    for service, operations in OPERATIONS.items():
        version = loader.determine_latest_version(service, "service-2")
        made[f"{service}/{version}/service-2.json"] = _text(
            _cut(loader.load_service_model(service, "service-2"), operations)
        )
    return made


def _amazon_roots(certificates: str) -> str:
    """The root certificates of Amazon Trust Services, out of all that the SDK trusts.

    Raises:
        ValueError: one is missing.
    """
    found = {
        _AMAZON_ROOTS[digest]: each
        for each in re.findall(r"-----BEGIN CERTIFICATE-----\n.+?-----END CERTIFICATE-----\n", certificates, re.DOTALL)
        if (digest := sha256(PEM_cert_to_DER_cert(each)).hexdigest()) in _AMAZON_ROOTS
    }
    if missing := _AMAZON_ROOTS.values() - found.keys():
        raise ValueError(f"not among the SDK's root certificates: {', '.join(sorted(missing))}")
    return "".join(f"# {name}\n{found[name]}" for name in _AMAZON_ROOTS.values())


def _endpoints_of(table: Any) -> dict[str, object]:
    """The endpoint table with the services that are called only, in all partitions and Regions."""
    partitions = [
        {**partition, "services": {name: each for name, each in partition["services"].items() if name in OPERATIONS}}
        for partition in table["partitions"]
    ]
    return {**table, "partitions": partitions}


def _cut(model: Any, operations: tuple[str, ...]) -> dict[str, object]:
    """The description of some operations, with the shapes that they need and without its prose."""
    kept = {name: _cut_operation(model["operations"][name]) for name in operations}
    shapes = _with_documents(model["shapes"], kept)
    needed = _needed(shapes, [name for operation in kept.values() for name in _shapes_of_operation(operation)])
    return {name: _plain(part) for name, part in {**model, "operations": kept, "shapes": needed}.items()}


def _with_documents(shapes: Any, operations: dict[str, Any]) -> dict[str, Any]:
    """The shapes, with documents for the attributes of the operations whose items hold nothing binary.

    The SDK walks through every value of what it sends and receives, to encode and decode what is binary. A document it
    takes as it is. Of a request, which is our own, a whole member is a document; of a reply, an item or a key is.
    """
    plain = [operation for name, operation in operations.items() if name not in _WITH_BINARY_ATTRIBUTES]
    others = [operation for name, operation in operations.items() if name in _WITH_BINARY_ATTRIBUTES]
    walked = _needed(shapes, [name for operation in others for name in _shapes_of_operation(operation)])
    asked = {operation["input"]["shape"] for operation in plain}
    needed = _needed(shapes, [name for operation in plain for name in _shapes_of_operation(operation)[1:]])

    def holds_attributes(name: str) -> bool:
        return _ATTRIBUTE in _needed(shapes, [name])

    def is_item(name: str) -> bool:
        return bool(shapes[name].get("value") == {"shape": _ATTRIBUTE})

    return {
        **shapes,
        **{name: _referring(shapes[name], is_item) for name in needed.keys() - walked.keys()},
        **{name: _referring(shapes[name], holds_attributes) for name in asked},
        _DOCUMENT: {"type": "structure", "members": {}, "document": True},
    }


def _referring(part: Any, is_document: Callable[[str], bool]) -> Any:
    """A shape that refers to a document instead of some other shapes."""
    match part:
        case {"shape": str(name)}:
            return {**part, "shape": _DOCUMENT} if is_document(name) else part
        case dict():
            return {name: _referring(member, is_document) for name, member in part.items()}
        case _:
            return part


def _needed(shapes: Any, names: Iterable[str]) -> dict[str, Any]:
    """The shapes of these names, and those that they need."""
    found: dict[str, Any] = {}
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = shapes[name]
            wanted += _shapes_of_shape(shapes[name])
    return found


def _cut_operation(operation: Any) -> dict[str, Any]:
    """An operation without what its endpoint could depend on, but does not here.

    Nobody asks for endpoints by the operation for that, which is left out. And no table is named by its ARN: for the
    account in it the SDK would search the whole of each transaction, a twentieth of a request's work.
    """
    return {name: member for name, member in operation.items() if name not in _OF_ENDPOINTS}


def _shapes_of_operation(operation: Any) -> list[str]:
    """Of its request, its reply and its errors, in this order."""
    return [part["shape"] for part in (operation["input"], operation["output"], *operation.get("errors", ()))]


def _shapes_of_shape(shape: Any) -> Iterator[str]:
    yield from (member["shape"] for member in shape.get("members", {}).values())
    yield from (shape[part]["shape"] for part in ("member", "key", "value") if part in shape)


def _plain(value: Any) -> Any:
    """A part of a description without its prose, and without what makes the SDK draw a token for each transaction.

    The token is for the SDK's own repetitions of a call, and the clients here try once.
    """
    match value:
        case dict():
            return {
                name: _plain(member)
                for name, member in value.items()
                if name != _DRAWN_FOR_EACH_CALL and not _is_prose(name, member)
            }
        case list():
            return [_plain(member) for member in value]
        case _:
            return value


def _is_prose(name: str, member: object) -> bool:
    """A member, not a field that happens to be called so: those are described by an object."""
    return name == "documentation" and isinstance(member, str)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def main() -> None:
    """Write them."""
    for path, text in files().items():
        file = MODELS / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
