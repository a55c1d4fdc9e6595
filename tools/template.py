"""The template as data: reading it, and writing it back."""

from pathlib import Path
from typing import Any

import yaml

type Template = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads YAML 1.1 as CloudFormation means it: `2012-10-17` is a version, not a day."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    """Read `!Sub x` as `{"Fn::Sub": x}`, and likewise the others."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)  # noqa: S101
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


yaml.add_multi_constructor("!", _intrinsic, _Loader)


def read_template(path: Path) -> Template:
    """Return a template with its short intrinsic functions and its loops of resources (`Fn::ForEach`) written out."""
    text = path.read_text(encoding="utf-8")
    template: Template = yaml.load(text, Loader=_Loader)  # noqa: S506 — a SafeLoader  # nosec B506
    return template | {"Resources": _without_loops(template["Resources"])}


def _without_loops(resources: dict[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, resource in resources.items():
        if name.startswith("Fn::ForEach::"):
            identifier, values, fragment = resource
            for value in values:
                written |= _with_value(fragment, identifier, value)
        else:
            written[name] = resource
    return written


def _with_value(fragment: Any, identifier: str, value: str) -> Any:
    """Return the fragment of a loop with one value in the place of its identifier."""
    match fragment:
        case {"Ref": name} if name == identifier:
            return value
        case {"Fn::Sub": str(text)}:
            filled = _with_value(text, identifier, value)
            return {"Fn::Sub": filled} if "${" in filled else filled
        case dict():
            return {
                _with_value(name, identifier, value): _with_value(each, identifier, value)
                for name, each in fragment.items()
            }
        case list():
            return [_with_value(each, identifier, value) for each in fragment]
        case str():
            return fragment.replace(f"${{{identifier}}}", value)
        case _:
            return fragment


def write_template(template: Template, path: Path) -> None:
    """Write a template that `read_template` reads back equal."""
    path.write_text(yaml.safe_dump(template, sort_keys=False, width=120), encoding="utf-8")
