"""The template as data: intrinsic functions as plain mappings, loops written out, both templates read as one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from tools.template import Template, read_template

PROJECT_ROOT: Final = Path(__file__).resolve().parents[2]
TEMPLATE: Final = PROJECT_ROOT / "template.yaml"
MONITORING: Final = PROJECT_ROOT / "monitoring.yaml"


@cache
def load_template() -> Template:
    """The root template's sections, with the resources and conditions of the nested one among its own."""
    root, nested = load_root(), load_monitoring()
    return root | {section: root[section] | nested[section] for section in ("Conditions", "Resources")}


@cache
def load_root() -> Template:
    """The sections of the root template alone."""
    return read_template(TEMPLATE)


@cache
def load_monitoring() -> Template:
    """The sections of the nested template, each parameter replaced by the value that the root template gives it.

    So an alarm names the function that it watches as the root template does.
    """
    nested = read_template(MONITORING)
    given = load_root()["Resources"]["MonitoringStack"]["Properties"]["Parameters"]
    return nested | {section: _filled_in(nested[section], given) for section in ("Conditions", "Resources", "Outputs")}


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Logical id to resource, of one type."""
    return {name: each for name, each in load_template()["Resources"].items() if each["Type"] == kind}


def _filled_in(value: Any, given: dict[str, Any]) -> Any:
    match value:
        case {"Ref": str(name)}:
            return given.get(name, value)
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": _text_filled_in(text, given)}
        case {"Fn::Sub": [str(text), more]}:
            return {"Fn::Sub": [_text_filled_in(text, given), _filled_in(more, given)]}
        case dict():
            return {name: _filled_in(each, given) for name, each in value.items()}
        case list():
            return [_filled_in(each, given) for each in value]
        case _:
            return value


def _text_filled_in(text: str, given: dict[str, Any]) -> str:
    for name, value in given.items():
        text = text.replace(f"${{{name}}}", _in_text(value))
    return text


def _in_text(value: Any) -> str:
    """How a text of `Fn::Sub` writes a value."""
    match value:
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case _:
            return str(value)
