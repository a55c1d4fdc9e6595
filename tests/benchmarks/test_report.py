"""The arithmetic of the benchmark, its picture and its gates; nothing is measured here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks import __main__ as report
from tests.benchmarks import (
    alternation,
    batches,
    built,
    calls,
    gates,
    initialisation,
    meters,
    reading,
    readme_chart,
    warm,
)
from tests.benchmarks.capacity import read_units, transaction_read_units
from tests.benchmarks.charts import WIDTH, Bar, Bars, picture
from tests.benchmarks.checks import AGAIN, Target, controls, ratio, targets
from tests.benchmarks.environments import Skew
from tests.benchmarks.subjects import BATCH_OF_49, BATCHES, OURS, SAME_ITEM_99

if TYPE_CHECKING:
    from collections.abc import Sequence

SVG = "{http://www.w3.org/2000/svg}"


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_medians() -> None:
    samples = {"a": [1.0, 20.0, 300.0], "b": [1.0, 10.0, 100.0]}
    assert ratio(samples, "a", "b") == 2.0


def test_a_control_holds_as_long_as_the_same_measured_twice_is_the_same() -> None:
    samples = {"a": [100.0], "a" + AGAIN: [104.9], "b": [100.0], "b" + AGAIN: [94.9], "c": [1.0]}
    assert [(check.reached, check.held) for check in controls(samples, "time", 0.05)] == [
        ("+4.90%", True),
        ("-5.10%", False),
    ]


def test_a_target_holds_up_to_its_ratio() -> None:
    samples = {"ours": [65.0], "theirs": [100.0]}
    checks = targets([Target("ours", "theirs", 0.65), Target("ours", "theirs", 0.64)], samples, "time")
    assert [check.held for check in checks] == [True, False]


def test_a_read_is_billed_by_four_kilobytes_and_twice_in_a_transaction() -> None:
    items = [None, {"s": {"S": "x" * 4095}}, {"s": {"S": "x" * 4096}}]
    assert [read_units(item) for item in items] == [1, 1, 2]
    assert [transaction_read_units(item) for item in items] == [2, 2, 4]


def test_a_skewed_stream_is_reproducible_and_mostly_for_few_items() -> None:
    order = Skew().order()
    assert order == Skew().order()
    assert len(order) == 20_000
    counts = [order.count(item) for item in range(100)]
    assert sum(counts) > 0.5 * len(order)
    # An environment that remembers every item that it has seen must read each of them once at least.
    assert len(set(order)) / len(order) < calls.CALLS_MAX[calls.SKEWED] - 1


def test_every_gate_is_judged_and_one_that_is_exceeded_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started = {label: [100.0] for label in gates.STARTED} | {"fastapi": [200.0], "idempotency": [200.0]}
    started |= {label: [100.0 * reached] for label, reached in initialisation.REACHED.items()}
    requested = {"ours": [20.0], "bare": [40.0], "resolver": [40.0], "idempotency": [80.0]}
    requested |= {label: [40.0 * reached] for label, reached in batches.REACHED.items()}
    wanted = [*initialisation.TARGETS, *gates.WARM, *batches.GATES]
    assert len(gates.judged(started, requested)) == len(wanted)

    def run() -> int:
        monkeypatch.setattr(meters, "VALGRIND", "valgrind")
        monkeypatch.setattr(initialisation, "instructions_m", lambda _labels: started)
        monkeypatch.setattr(meters, "instructions", lambda _variants: requested)
        return gates.main()

    assert run() == 0
    requested[BATCH_OF_49] = [40.0 * batches.REACHED[BATCH_OF_49] * batches.MARGIN + 0.1]
    assert run() == 1
    requested[BATCH_OF_49] = [0.0]
    requested["ours"] = [24.1]
    assert run() == 1
    assert "0.301" in capsys.readouterr().out


def test_every_function_of_the_template_has_a_gate() -> None:
    gated = {each.label for each in initialisation.TARGETS if each.against == initialisation.BOTO3}
    assert gated == set(initialisation.FUNCTIONS)


def test_what_alternates_is_judged_by_cpu_time_and_by_latency() -> None:
    fast = {"ours": [1.0], "ours again": [1.0], "bare": [1.0], "bare again": [1.0]}
    slow = fast | {"ours": [1.06], "ours again": [1.06]}
    held = [[check.held for check in alternation.judged(cpu, wall)] for cpu, wall in ((fast, fast), (slow, fast))]
    assert held == [[True] * 6, [True] * 4 + [False, True]]
    assert [check.held for check in alternation.judged(fast, slow)] == [True] * 5 + [False]


def test_a_line_of_a_batch_is_judged_beside_its_aim_by_the_median_of_the_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cpu_us = {label: [100.0, 100.0, 100.0] for label in batches.LABELS}
    cpu_us |= {BATCH_OF_49: [49.0, 50.0, 90.0], SAME_ITEM_99: [19.0, 22.1, 22.1]}
    cpu_us |= {each + AGAIN: cpu_us[each] for each in batches.CONTROLLED}
    lines = dict.fromkeys(batches.LABELS, 1) | {label: each.number for label, each in BATCHES.items()}
    work = {label: meters.Work(requests=lines[label], calls=1, units=6) for label in batches.LABELS}
    monkeypatch.setattr(meters, "cpu", lambda *_, **__: (work, cpu_us))
    rows, checks = batches.measure(rounds=3, seed=1, count_instructions=False)
    shown = {row.label: (row.cpu_ratio, row.cpu_ratio_least, row.cpu_ratio_greatest, row.calls) for row in rows}
    assert shown[BATCH_OF_49] == (0.5, 0.49, 0.9, 1 / 49)
    assert [check.what for check in checks if not check.held] == [f"CPU time of a line of {SAME_ITEM_99} / {OURS}"]


@pytest.mark.parametrize("label", BATCHES)
def test_a_batch_makes_one_call_however_many_lines_it_has(label: str) -> None:
    with meters.worker(f"stubbed:{label}") as running:
        work = running.work
    lines = BATCHES[label]
    stock_units = 2 * (1 if lines.is_of_one_item else lines.number)
    requests = work.requests // lines.number
    assert (work.calls, work.stock_units) == (requests, requests * stock_units)
    # Two units for each ledger row in the transaction, and one in each of its two indexes.
    assert work.units == requests * (stock_units + 4 * lines.number)


def test_a_row_that_is_read_may_cost_so_much_and_no_more() -> None:
    samples = {label: [reading.ROW_MAX_US] for label in reading.LABELS}
    assert all(check.held for check in reading.judged(samples))
    checks = reading.judged(samples | {"proof": [reading.ROW_MAX_US + 0.1], "proof again": [reading.ROW_MAX_US + 0.1]})
    assert [check.what for check in checks if not check.held] == ["CPU time of a row, proof"]


def test_functions_are_laid_out_as_lambda_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(built, "BUILD", tmp_path)
    layers = ("DependenciesArm64Layer", "DependenciesX86Layer", "InventoryLayer", "SwaggerUiLayer")
    for layer in layers:
        (tmp_path / layer / "python" / layer).mkdir(parents=True)
    for name in initialisation.FUNCTIONS:
        code = tmp_path / (name.title().replace("_", "") + "Function")
        (code / "__pycache__").mkdir(parents=True)
        (code / "handler.py").touch()
    with built.functions() as found:
        assert sorted(found) == list(initialisation.FUNCTIONS)
        code_path, _, layer_path = found["create_adjustment"]["PYTHONPATH"].partition(":")
        assert [path.name for path in Path(code_path).iterdir()] == ["handler.py"]
        assert len(list(Path(layer_path).iterdir())) == len(layers) - 1
        assert found["create_adjustment"]["LOG_LEVEL"]


def test_the_gates_say_what_to_install_and_fail_where_nothing_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(meters, "VALGRIND", None)
    assert gates.main() == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert "install valgrind" in line


def test_a_bar_is_as_long_as_its_value_and_the_longest_one_leaves_room_for_its_figure() -> None:
    bars = [Bar("ours", 0.5, ours=True), Bar("a < b", 2.0)]
    drawn = ET.fromstring(picture([Bars("title", bars), Bars("other", bars)], description="what"))  # noqa: S314  our own
    widths = [float(each.attrib["width"]) for each in drawn.iter(f"{SVG}rect")]
    assert widths[0] * 4 == pytest.approx(widths[1], abs=0.3)
    assert widths[:2] == widths[2:]
    assert all(float(each.attrib["x"]) + float(each.attrib["width"]) <= WIDTH - 40 for each in drawn.iter(f"{SVG}rect"))
    assert [each.text for each in drawn.iter(f"{SVG}text")][:5] == ["title", "ours", "0.50", "a < b", "2.00"]


def test_the_picture_shows_ours_and_every_baseline_once_in_each_panel() -> None:
    text = readme_chart.performance(figures())
    assert text.count("create_adjustment</text>") == 2
    for label in ("json + boto3", "Powertools resolver", "FastAPI + Mangum", "Resolver + idempotency"):
        assert text.count(f">{label}<") == 2
    assert "again" not in text


def test_a_run_writes_every_figure_and_draws_only_when_it_is_asked_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch)
    asked = ["--only", "initialisation", "--only", "warm", "--out", str(tmp_path / "bench.json")]
    assert report.main(asked) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
    assert report.main([*asked, "--picture", str(tmp_path / "picture.svg")]) == 0
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").startswith("<svg")
    printed = capsys.readouterr().out
    assert "Not measured: real Lambda" in printed
    assert "SnapStart" in printed


def test_a_picture_of_parts_that_are_not_measured_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        report.main(["--only", "warm", "--picture", "picture.svg"])
    assert "initialisation and warm" in capsys.readouterr().err


def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be measured."""
    monkeypatch.setattr(initialisation, "measure", lambda **_: (started(), []))
    monkeypatch.setattr(warm, "measure", lambda **_: (requested(), []))


def started() -> Sequence[initialisation.Row]:
    labels = [*initialisation.MEASURED, initialisation.BOTO3 + AGAIN]
    return [initialisation.Row(label, 1000.0, 1.0, 200.0, 1.0, 46.0, 1.0) for label in labels]


def requested() -> Sequence[warm.Row]:
    labels = [*warm.SUBJECTS, *warm.FOR_INFORMATION, warm.BARE + AGAIN]
    return [warm.Row(label, 1.0, 800.0, 1.0, 4000.0, 1.0, None, None) for label in labels]


def figures() -> dict[str, Any]:
    return {
        "initialisation": [{"label": row.label, "instructions_ratio": 1.0, "cpu_ratio": 1.0} for row in started()],
        "warm": [{"label": row.label, "cpu_ratio": 1.0} for row in requested()],
    }
