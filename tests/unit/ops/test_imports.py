"""`python -m ops import`: any file that a spreadsheet writes, a result for each line, and nothing done twice."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import UUID, uuid5

import httpx
import pytest

from ops import imports
from ops.command_line import main
from ops.errors import CommandError
from ops.http_api import ADJUSTMENTS, COUNTS, Api
from ops.import_catalog import CATALOG_COLUMNS, opening_key
from ops.import_changes import KINDS
from ops.import_files import ImportFile
from ops.stacks import Target
from tests.support.builders.ids import BUSINESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_lambda import LambdaClient

DEFAULT, CELLAR = (str(UUID(int=number)) for number in (1, 2))
VARIANT = str(UUID(int=7))


def results(path: Path) -> list[dict[str, str]]:
    with path.with_name(f"{path.name}.result.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- files


def read(tmp_path: Path, content: str | bytes, name: str = "file.csv") -> list[tuple[int, dict[str, Any], str | None]]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(line.number, dict(line.cells), line.problem) for line in ImportFile.read(path, CATALOG_COLUMNS).lines]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_csv_is_read_as_any_spreadsheet_writes_it(separator: str, end: str, encoding: str, tmp_path: Path) -> None:
    rows = [
        ["SKU", "Name", "Opening quantity", "Location"],
        ["MUG", '"Größe ""XL"", rot; neu"', "5", ""],
        ["", "", "", ""],
    ]
    content = "".join(separator.join(row) + end for row in rows).encode(encoding)
    assert read(tmp_path, content) == [(2, {"sku": "MUG", "name": 'Größe "XL", rot; neu', "opening_quantity": 5}, None)]


@pytest.mark.parametrize("name", ["file.ndjson", "file.jsonl", "file.txt"])
def test_lines_of_json_are_read_by_name_or_by_how_they_begin(name: str, tmp_path: Path) -> None:
    content = '\ufeff{"sku": "MUG", "Opening-Quantity": 5, "name": null}\r\n\n{"sku": "CUP", "quantity": "7"}\n'
    assert read(tmp_path, content, name) == [
        (1, {"sku": "MUG", "opening_quantity": 5}, None),
        (3, {"sku": "CUP", "opening_quantity": 7}, None),
    ]


def test_a_line_has_the_number_that_an_editor_shows(tmp_path: Path) -> None:
    content = 'sep=;\r\nsku;name\r\n"A";"two\r\nlines"\r\n\r\nB;\r\n'
    assert [number for number, _, _ in read(tmp_path, content)] == [3, 6]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (",name,5,", "sku missing"),
        ("A,name,x,", "opening_quantity is no integer: 'x'"),
        ("A,name,5.0,", "opening_quantity is no integer: '5.0'"),
        ('A,name,"1,000",', "opening_quantity is no integer: '1,000'"),
        ("A,name,5,,more", "it has 5 cells, the header 4"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_of_that_line_alone(line: str, problem: str, tmp_path: Path) -> None:
    good = (3, {"sku": "B"}, None)
    assert read(tmp_path, f"sku,name,opening_quantity,location\n{line}\nB,,,\n") == [(2, {}, problem), good]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "it is no JSON object"),
        ("{", "it is no JSON object"),
        ("[" * 100_000, "it is no JSON object"),
        ('{"sku": 5}', "sku is no text: 5"),
        ('{"sku": "A", "quantity": true}', "opening_quantity is no integer: True"),
        ('{"sku": "A", "quantity": 1.5}', "opening_quantity is no integer: 1.5"),
        ('{"sku": "A", "color": "red"}', "the header has a column 'color'"),
    ],
)
def test_what_is_wrong_with_a_line_of_json_is_said_too(line: str, problem: str, tmp_path: Path) -> None:
    ((_, cells, found),) = read(tmp_path, f"{line}\n", "file.ndjson")
    assert cells == {}
    assert (found or "").startswith(problem)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no lines to import"),
        (b"sku\r\n", "has no lines to import"),
        ("sku\nGröße\n".encode("cp1252"), "is not UTF-8 in line 2"),
        (b"sku,colour\nA,red\n", "the header has a column 'colour'; columns are sku, name"),
        (b'sku\n"' + b"x" * 200_000 + b'"\n', "is no CSV: field larger than field limit"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(content: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=re.escape(problem)):
        read(tmp_path, content)


# --- the catalog


@dataclass
class Service:
    """The functions of a stack, with a catalog and adjustments that are remembered by their keys."""

    variants: dict[str, str] = field(default_factory=dict)
    booked: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    before: Callable[[dict[str, Any]], None] = lambda _: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        payload = json.loads(Payload)
        with self.lock:
            self.asked.append(payload)
            self.before(payload)
            answer = self.create(payload) if FunctionName == "create" else getattr(self, payload["command"])(payload)
        failed = {"FunctionError": "Unhandled"} if "errorType" in answer else {}
        return failed | {"Payload": io.BytesIO(json.dumps(answer).encode())}

    def list_locations(self, payload: dict[str, Any]) -> dict[str, Any]:
        found = [
            {"location_id": DEFAULT, "name": "Floor", "active": True, "default": True},
            {"location_id": CELLAR, "name": "Cellar", "active": True, "default": False},
            {"location_id": str(UUID(int=3)), "name": "Twice", "active": True, "default": False},
            {"location_id": str(UUID(int=4)), "name": "Twice", "active": True, "default": False},
            {"location_id": str(UUID(int=5)), "name": "Closed", "active": False, "default": False},
        ]
        begin = int(payload.get("cursor", 0))
        return {"data": found[begin : begin + 2], "next_cursor": str(begin + 2) if begin < 3 else None}

    def register_variants(self, payload: dict[str, Any]) -> dict[str, Any]:
        assert 1 <= len(payload["variants"]) <= 500
        assert payload["business_id"] == str(BUSINESS)
        return {"variants": [self.registered(**each) for each in payload["variants"]]}

    def registered(self, sku: str, name: str | None = None, variant_id: str | None = None) -> dict[str, Any]:
        if sku == "TAKEN":
            return {"error": {"code": "sku_taken", "message": "It is taken.", "variant_id": VARIANT}}
        return {"variant_id": self.variants.setdefault(sku, variant_id or str(uuid5(BUSINESS, sku)))}

    def create(self, payload: dict[str, Any]) -> dict[str, Any]:
        known = self.booked.setdefault(payload["idempotency_key"], payload)
        if known != payload:
            entry = {"loc": ["header", "idempotency-key"], "msg": "Another request has this key", "type": "reused"}
            return {"errorType": "InvalidRequest", "errorMessage": json.dumps([entry])}
        return {"id": f"row of {payload['idempotency_key']}"}

    @property
    def target(self) -> Target:
        outputs = {"ProvisionFunctionName": "provision", "CreateAdjustmentFunctionName": "create"}
        return Target(cast("LambdaClient", self), outputs)


@dataclass
class Shell:
    """Where the command is typed."""

    folder: Path
    service: Service
    capsys: pytest.CaptureFixture[str]

    def run(self, what: str, content: str, *options: str, name: str = "file.csv") -> tuple[int, str]:
        (self.folder / name).write_text(content, encoding="utf-8")
        status = main(["import", what, str(self.folder / name), f"--business={BUSINESS}", *options])
        printed = self.capsys.readouterr()
        return status, printed.out + printed.err

    def results(self, name: str = "file.csv") -> list[dict[str, str]]:
        return results(self.folder / name)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    service = Service()
    monkeypatch.setattr(imports, "find_target", lambda _: service.target)
    monkeypatch.setattr("ops.command.signal.signal", lambda *_: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return Shell(tmp_path, service, capsys)


CATALOG = "sku,name,opening quantity,location\nA,Apple,5,\nA,Apple,3,Cellar\nB,,,\nC,Cherry,0,\n"


def test_variants_are_registered_and_their_opening_stock_is_booked_at_the_named_locations(shell: Shell) -> None:
    status, said = shell.run("catalog", CATALOG)
    assert status == 0, said
    assert list(shell.service.variants) == ["A", "B", "C"]
    booked = {
        (each["variant_id"], each["location_id"]): each["quantity_change"] for each in shell.service.booked.values()
    }
    a = shell.service.variants["A"]
    assert booked == {(a, DEFAULT): 5, (a, CELLAR): 3}
    assert [(line["line"], line["sku"], line["error"]) for line in shell.results()] == [
        *(("2", "A", ""), ("3", "A", ""), ("4", "B", ""), ("5", "C", ""))
    ]
    assert [bool(line["adjustment_id"]) for line in shell.results()] == [True, True, False, False]
    assert said.startswith("4 lines imported in ")
    assert ", 0 failed: " in said


def test_a_catalog_that_is_imported_again_or_after_a_crash_is_booked_once(shell: Shell) -> None:
    def crash(payload: dict[str, Any]) -> None:
        if payload.get("idempotency_key") == opening_key("A", CELLAR):
            raise OSError("the network is gone")

    shell.service.before = crash
    assert shell.run("catalog", CATALOG)[0] == 1
    shell.service.before = lambda _: None
    assert [shell.run("catalog", CATALOG)[0] for _ in range(2)] == [0, 0]
    assert [each["quantity_change"] for each in shell.service.booked.values()] == [5, 3]


def test_another_opening_quantity_for_the_same_sku_and_location_is_an_error_at_its_line(shell: Shell) -> None:
    shell.run("catalog", "sku,quantity,location\nA,5,Floor\n")
    status, said = shell.run("catalog", "sku,quantity\nA,6\nB,1\n")  # the same location, as the default one
    assert status == 1
    assert "1 lines imported" in said
    assert [line["error"] for line in shell.results()] == ["idempotency-key: Another request has this key", ""]


def test_an_error_of_a_line_hinders_no_other(shell: Shell) -> None:
    lines = ["A,1,Attic", "A,1,Twice", "A,1,Closed", "TAKEN,1,", ",1,", f"A,1,{CELLAR}"]
    status, _ = shell.run("catalog", "\n".join(["sku,quantity,location", *lines]))
    assert status == 1
    errors = {line["line"]: line["error"] for line in shell.results()}
    assert errors == {
        "2": "no active locations are called 'Attic'",
        "3": "2 active locations are called 'Twice'",
        "4": "no active locations are called 'Closed'",
        "5": f"It is taken. (variant_id: {VARIANT})",
        "6": "sku missing",
        "7": "",
    }


def test_5000_variants_are_registered_500_at_a_time(shell: Shell) -> None:
    lines = [f"S-{number}" for number in range(1_001)]
    assert shell.run("catalog", "\n".join(["sku", *lines]))[0] == 0
    assert [len(each["variants"]) for each in shell.service.asked if "variants" in each] == [500, 500, 1]
    assert [line["sku"] for line in shell.results()] == lines


def test_a_dry_run_asks_for_nothing_and_leaves_no_file(shell: Shell) -> None:
    status, said = shell.run("catalog", "sku,quantity\nA,x\nB,1\n", "--dry-run")
    assert (status, said) == (
        1,
        "line 2: opening_quantity is no integer: 'x'\n1 lines can be sent, 1 can't; nothing was sent\n",
    )
    assert shell.service.asked == []
    assert [path.name for path in shell.folder.iterdir()] == ["file.csv"]


# --- adjustments and counts through the API


@dataclass
class FakeApi:
    """Answers requests; it remembers keys as the service does, and gives rows of one stock item sequences."""

    rows: dict[str, tuple[bytes, dict[str, object]]] = field(default_factory=dict)
    refused: dict[str, tuple[int, object]] = field(default_factory=dict)
    order: list[tuple[str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: httpx.Request) -> httpx.Response:
        body, key = json.loads(request.content), request.headers["Idempotency-Key"]
        with self.lock:
            if body.get("reason", "") in self.refused:
                status, detail = self.refused[body["reason"]]
                return httpx.Response(status, json={"detail": detail})
            replayed = key in self.rows
            sent, row = self.rows.setdefault(key, (request.content, {"id": f"row {len(self.rows) + 1}"} | body))
            assert sent == request.content
            if not replayed:
                self.order.append((body["variant_id"], body.get("quantity_change", 0)))
        return httpx.Response(201, json=row, headers={"Idempotent-Replayed": "true"} if replayed else {})


def answered_by(answer: Callable[[httpx.Request], httpx.Response], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all requests be answered by this, and none wait for its next attempt."""
    client = httpx.Client
    monkeypatch.setattr("ops.imports.httpx.Client", lambda **_: client(transport=httpx.MockTransport(answer)))
    monkeypatch.setattr(imports, "Api", ApiWithoutPauses)


class ApiWithoutPauses(Api):
    """The API, asked again at once."""

    @classmethod
    def of(cls, base_url: str, http: httpx.Client, *, token: str, business_id: str) -> Self:
        return replace(super().of(base_url, http, token=token, business_id=business_id), pause=lambda _: None)


@pytest.fixture
def api(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()
    answered_by(fake.answer, monkeypatch)
    monkeypatch.setenv("TOKEN", "dz_x")
    assert shell
    return fake


URL = "--url=http://api.test"


def adjustments(*lines: str) -> str:
    return "\n".join(["variant_id,quantity_change,reason", *lines, ""])


def test_each_line_is_sent_under_a_key_of_the_files_content_and_its_number(shell: Shell, api: FakeApi) -> None:
    assert shell.run("adjustments", adjustments(f"{VARIANT},-3,Damaged", f"{VARIANT},-3,Damaged"), URL)[0] == 0
    bodies = [json.loads(sent) for sent, _ in api.rows.values()]
    assert bodies == [{"variant_id": VARIANT, "quantity_change": -3, "reason": "Damaged"}] * 2
    assert [key.rpartition("-")[2] for key in api.rows] == ["2", "3"]
    assert len({key.rpartition("-")[0] for key in api.rows}) == 1
    assert [line["key"] for line in shell.results()] == list(api.rows)
    assert [line["status"] for line in shell.results()] == ["created", "created"]
    assert [line["adjustment_id"] for line in shell.results()] == ["row 1", "row 2"]


def test_a_half_done_import_goes_on_and_does_nothing_twice(shell: Shell, api: FakeApi) -> None:
    content = adjustments("a,1,x", "b,2,lost", "c,3,x")
    api.refused["lost"] = (403, {"code": "forbidden", "message": "No."})
    assert shell.run("adjustments", content, URL)[0] == 1
    api.refused.clear()
    assert shell.run("adjustments", content, URL)[0] == 0
    assert len(api.rows) == 3
    assert sorted(api.order) == [("a", 1), ("b", 2), ("c", 3)]
    assert shell.run("adjustments", content, URL)[0] == 0
    assert [line["status"] for line in shell.results()] == ["replayed"] * 3


def test_lines_for_one_stock_item_are_sent_in_their_order(shell: Shell, api: FakeApi) -> None:
    lines = [f"{'abcdefghijkl'[number % 12]},{number},x" for number in range(1, 240)]
    assert shell.run("adjustments", adjustments(*lines), URL)[0] == 0
    for item in "abcdefghijkl":
        sent = [quantity for variant, quantity in api.order if variant == item]
        assert sent == sorted(sent)
    assert [int(line["line"]) for line in shell.results()] == list(range(2, 241))


def test_a_line_that_is_refused_has_the_reason_and_the_others_are_sent(shell: Shell, api: FakeApi) -> None:
    api.refused["short"] = (409, {"code": "insufficient_stock", "message": "Too few.", "quantity_on_hand": 1})
    api.refused["bad"] = (422, [{"loc": ["body", "reason"], "msg": "Bad", "type": "value_error"}])
    status, said = shell.run("adjustments", adjustments("a,-5,short", "b,1,bad", "c,1,fine", "d,x,no"), URL)
    assert (status, said.partition(" in ")[0]) == (1, "1 lines imported")
    found = {line["line"]: (line["status"], line["error"]) for line in shell.results()}
    assert found == {
        "2": ("409", "Too few. (quantity_on_hand: 1)"),
        "3": ("422", "reason: Bad"),
        "4": ("created", ""),
        "5": ("", "quantity_change is no integer: 'x'"),
    }


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (404, "not_found"), (502, "")])
def test_what_is_wrong_for_all_lines_ends_the_import(status: int, code: str, shell: Shell, api: FakeApi) -> None:
    api.refused["x"] = (status, {"code": code, "message": "No."} if code else "no form of ours")
    ended, said = shell.run("adjustments", adjustments("a,1,x"), URL)
    assert ended == 1
    assert said.startswith(f"error: http://api.test{ADJUSTMENTS} answered {status}")
    assert said.count("\n") == 1


def test_an_api_that_is_not_there_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    answered_by(refuse, monkeypatch)
    monkeypatch.setenv("TOKEN", "dz_x")
    status, said = shell.run("adjustments", adjustments("a,1,x"), URL)
    assert (status, said) == (1, "error: http://api.test can't be reached: refused\n")


def test_without_a_token_the_command_says_which(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    status, said = shell.run("adjustments", adjustments("a,1,x"), URL)
    assert status == 1
    assert said == "error: TOKEN= is missing: a token with the scope adjustments:write (or --by-queue)\n"


def test_a_file_that_was_changed_since_it_was_imported_is_refused(shell: Shell, api: FakeApi) -> None:
    """Its lines have other keys, so what is done would be done again."""
    shell.run("adjustments", adjustments("a,1,x", "b,y,x"), URL)
    status, said = shell.run("adjustments", adjustments("a,1,x", "b,2,x"), URL)
    assert status == 1
    assert "was changed since it was imported" in said
    assert len(api.rows) == 1
    assert shell.run("adjustments", adjustments("b,2,x"), URL, name="rest.csv")[0] == 0
    assert sorted(api.order) == [("a", 1), ("b", 2)]


def test_a_file_of_which_nothing_was_imported_may_be_corrected(shell: Shell, api: FakeApi) -> None:
    assert shell.run("adjustments", adjustments("a,y,x"), URL)[0] == 1
    assert shell.run("adjustments", adjustments("a,1,x"), URL)[0] == 0
    assert len(api.rows) == 1


def test_counts_go_to_their_own_route_with_their_own_columns(shell: Shell, api: FakeApi) -> None:
    content = "variant_id;Counted;counted_at\na;0;2026-11-28T10:00:00Z\n"
    assert shell.run("counts", content, URL)[0] == 0
    ((sent, _),) = api.rows.values()
    assert json.loads(sent) == {"variant_id": "a", "counted_quantity": 0, "counted_at": "2026-11-28T10:00:00Z"}
    assert KINDS["counts"].path == COUNTS
