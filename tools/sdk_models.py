"""``make sdk-models``: cut the SDK's service descriptions down to the operations that the service calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.loaders import create_loader

from inventory.aws.fast_session import MODELS, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
_OF_ENDPOINTS = {"endpointdiscovery", "operationContextParams"}


def files() -> dict[str, str]:
    """What belongs into ``sdk_models/``: path to text."""
    loader = create_loader()
    made = {"endpoints.json": _text(_endpoints_of(loader.load_data("endpoints")))}
    for service, operations in OPERATIONS.items():
        version = loader.determine_latest_version(service, "service-2")
        made[f"{service}/{version}/service-2.json"] = _text(
            _cut(loader.load_service_model(service, "service-2"), operations)
        )
    return made


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
    shapes: dict[str, object] = {}
    wanted = [name for operation in kept.values() for name in _shapes_of_operation(operation)]
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            wanted += _shapes_of_shape(model["shapes"][name])
    return {name: _without_prose(part) for name, part in {**model, "operations": kept, "shapes": shapes}.items()}


def _cut_operation(operation: Any) -> dict[str, Any]:
    """An operation without what its endpoint could depend on, but does not here.

    Nobody asks for endpoints by the operation for that, which is left out. And no table is named by its ARN: for the
    account in it the SDK would search the whole of each transaction, a twentieth of a request's work.
    """
    return {name: member for name, member in operation.items() if name not in _OF_ENDPOINTS}


def _shapes_of_operation(operation: Any) -> Iterator[str]:
    yield from (operation[part]["shape"] for part in ("input", "output") if part in operation)
    yield from (error["shape"] for error in operation.get("errors", ()))


def _shapes_of_shape(shape: Any) -> Iterator[str]:
    yield from (member["shape"] for member in shape.get("members", {}).values())
    yield from (shape[part]["shape"] for part in ("member", "key", "value") if part in shape)


def _without_prose(value: Any) -> Any:
    match value:
        case dict():
            return {name: _without_prose(member) for name, member in value.items() if not _is_prose(name, member)}
        case list():
            return [_without_prose(member) for member in value]
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
