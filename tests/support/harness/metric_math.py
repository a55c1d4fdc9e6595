"""CloudWatch's metric math, as far as the alarms use it, for one period: what an alarm would see of a minute."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
}


def seen(alarm: Mapping[str, Any], metrics: Mapping[str, float]) -> float | None:
    """The number that an alarm compares with its threshold; ``metrics`` are values by name, None where it has no data.

    A metric that is not named was not written.
    """
    if "Metrics" not in alarm:
        return metrics.get(alarm["MetricName"])
    stats = {each["Id"]: metrics.get(_name(each)) for each in alarm["Metrics"] if "MetricStat" in each}
    values: dict[str, Any] = dict(stats)
    expressions = [each for each in alarm["Metrics"] if "Expression" in each and "ANOMALY" not in each["Expression"]]
    # An expression may name others, in any order.
    for each in sorted(
        expressions, key=lambda one: any(f"{other['Id']}" in one["Expression"] for other in expressions)
    ):
        values[each["Id"]] = _evaluate(each["Expression"], values, list(stats.values()))
    returned = [each["Id"] for each in expressions if each.get("ReturnData", True)]
    value: float | None = values[returned[0]]
    return value


def goes_off(alarm: Mapping[str, Any], metrics: Mapping[str, float]) -> bool:
    """Whether each period with these values is one of those that the alarm counts."""
    value = seen(alarm, metrics)
    return value is not None and COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"])


def _name(metric: Mapping[str, Any]) -> str:
    """A metric's name, after that of the service that writes it by itself: ``create_adjustment/TryAgain``."""
    stat = metric["MetricStat"]["Metric"]
    service = [f"{each['Value']}/" for each in stat.get("Dimensions", []) if each["Name"] == "service"]
    return "".join([*service, stat["MetricName"]])


def _evaluate(expression: str, values: Mapping[str, Any], stats: list[float | None]) -> float | None:
    functions = {
        "IF": lambda condition, then, other: then if condition else other,
        "FILL": _filled,
        "METRICS": lambda: stats,
        "MAX": max,
        "SUM": sum,
    }
    code = re.sub(r"\bAND\b", "and", expression)
    try:
        result: float | None = eval(code, {"__builtins__": {}}, {**functions, **values})  # noqa: S307  our own template
    except TypeError:
        return None  # arithmetic with a metric that was not written has no result
    return result


def _filled(value: Any, with_: float) -> Any:
    if isinstance(value, list):
        return [with_ if each is None else each for each in value]
    return with_ if value is None else value
