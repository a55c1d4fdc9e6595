"""The function that serves the API's description, on a library that is put beside it as its layer is."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from inventory.api.routes import ROUTES
from inventory.api.static_files import StaticFiles
from tests.support.harness.loading import ROOT, Context, load_event, load_handler

if TYPE_CHECKING:
    from pathlib import Path

    from inventory.api.shapes import PageResponse

FOLDER = ROOT / "functions" / "describe_api"
LIBRARY = {"swagger-ui-bundle.js": "a library", "swagger-ui.css": "its style"}
ASSET = "/api/v1/docs/{asset}"


class Api:
    """One environment of the function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
        self.module: Any = load_handler("describe_api", monkeypatch, **environment)

    def get(self, resource: str, *, asset: str | None = None, method: str = "GET", **headers: str) -> PageResponse:
        event = load_event("describe-api") | {
            "httpMethod": method,
            "resource": resource,
            "pathParameters": None if asset is None else {"asset": asset},
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
        }
        answer: PageResponse = self.module.handler(event, Context(aws_request_id="the-request"))
        json.dumps(answer)
        return answer


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    (tmp_path / "swagger_ui").mkdir()
    for name, text in LIBRARY.items():
        (tmp_path / "swagger_ui" / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    monkeypatch.syspath_prepend(tmp_path)
    return Api(monkeypatch)


def named_by_the_page(api: Api) -> list[str]:
    return re.findall(r'(?:src|href)="docs/([^"]+)"', api.get("/api/v1/docs")["body"])


def test_the_document_is_the_one_in_the_repository(api: Api) -> None:
    answer = api.get("/api/v1/openapi.json")

    assert answer["statusCode"] == 200
    assert answer["body"] == (FOLDER / "openapi.json").read_text(encoding="utf-8")
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["x-request-id"] == "the-request"
    assert answer["isBase64Encoded"] is False


def test_everything_that_the_page_names_is_there_with_its_type(api: Api) -> None:
    assert api.get("/api/v1/docs")["headers"]["Content-Type"] == "text/html; charset=utf-8"

    named = named_by_the_page(api)

    assert len(named) == 4
    for name in named:
        answer = api.get(ASSET, asset=name)
        assert answer["statusCode"] == 200
        kind = {"css": "text/css", "js": "text/javascript"}[name.rpartition(".")[2]]
        assert answer["headers"]["Content-Type"] == f"{kind}; charset=utf-8"


@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_is_served_from_its_layer(name: str, api: Api) -> None:
    assert api.get(ASSET, asset=name)["body"] == LIBRARY[name]


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5, *;q=0", "deflate, gzip"])
def test_a_client_that_accepts_gzip_gets_the_same_content_compressed(accepted: str, api: Api) -> None:
    plain = api.get("/api/v1/openapi.json", Accept="*/*")
    packed = api.get("/api/v1/openapi.json", Accept="*/*", **{"Accept-Encoding": accepted})

    assert packed["isBase64Encoded"] is True
    assert gzip.decompress(base64.b64decode(packed["body"])).decode() == plain["body"]
    assert packed["headers"] == plain["headers"] | {"Content-Encoding": "gzip"}
    assert plain["headers"]["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*"},
        {"Accept": "*/*", "Accept-Encoding": "br, identity"},
        {"Accept": "*/*", "Accept-Encoding": "gzip;q=0"},
        {"Accept": "*/*", "Accept-Encoding": "gzip; q=0.00"},
        {"Accept-Encoding": "gzip"},  # without Accept the gateway would hand the base64 on as it is
    ],
)
def test_a_client_that_does_not_accept_gzip_gets_plain_content(headers: dict[str, str], api: Api) -> None:
    answer = api.get("/api/v1/docs", **headers)

    assert answer["isBase64Encoded"] is False
    assert "Content-Encoding" not in answer["headers"]
    assert answer["body"].startswith("<!doctype html>")


@pytest.mark.parametrize("known", ["{}", "*", '"other", {}', "W/{}"])
def test_content_that_a_browser_has_cached_is_not_sent_again(known: str, api: Api) -> None:
    etag = api.get("/api/v1/openapi.json")["headers"]["ETag"]

    answer = api.get("/api/v1/openapi.json", **{"If-None-Match": known.format(etag.removeprefix("W/"))})

    assert (answer["statusCode"], answer["body"]) == (304, "")
    assert answer["headers"]["ETag"] == etag


def test_a_changed_version_is_sent(api: Api) -> None:
    other = api.get("/api/v1/docs")["headers"]["ETag"]

    assert api.get("/api/v1/openapi.json", **{"If-None-Match": other})["statusCode"] == 200


def test_caches_keep_the_parts_for_ever_under_the_names_that_the_page_has_for_them(api: Api) -> None:
    for name in named_by_the_page(api):
        stem, version, extension = name.rsplit(".", 2)
        part = api.get(ASSET, asset=name)
        assert part["headers"]["Cache-Control"] == "public, max-age=31536000, immutable"
        assert part["headers"]["ETag"].startswith(f'W/"{version}')
        for other in (f"{stem}.{extension}", f"{stem}.0123456789ab.{extension}"):
            same = api.get(ASSET, asset=other)
            assert same["body"] == part["body"], "a page of another version loads too"
            assert same["headers"]["Cache-Control"] == "public, max-age=60"


def test_caches_ask_again_after_a_minute_for_what_keeps_its_name(api: Api) -> None:
    for path in ("/api/v1/openapi.json", "/api/v1/docs"):
        assert api.get(path)["headers"]["Cache-Control"] == "public, max-age=60"


def test_a_part_gets_another_name_with_its_content(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = named_by_the_page(api)
    (tmp_path / "swagger_ui" / "swagger-ui.css.gz").write_bytes(gzip.compress(b"another style"))
    after = named_by_the_page(Api(monkeypatch))
    assert [name.split(".")[0] for name in before if name not in after] == ["swagger-ui"]


@pytest.mark.parametrize("accepted", ["", "gzip"])
@pytest.mark.parametrize(
    ("resource", "asset"), [("/api/v1/openapi.json", None), ("/api/v1/docs", None), (ASSET, "docs.js"), (ASSET, "none")]
)
def test_head_is_answered_like_get_without_a_body(resource: str, asset: str | None, accepted: str, api: Api) -> None:
    headers = {"Accept": "*/*", "Accept-Encoding": accepted}
    get, head = (api.get(resource, asset=asset, method=method, **headers) for method in ("GET", "HEAD"))
    assert head == get | {"body": "", "isBase64Encoded": False}


@pytest.mark.parametrize(
    ("resource", "asset"), [("/api/v1/openapi.json", None), ("/api/v1/docs", None), (ASSET, "docs.js"), (ASSET, "none")]
)
def test_pages_of_every_origin_may_read_what_is_open(resource: str, asset: str | None, api: Api) -> None:
    answer = api.get(resource, asset=asset)
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"
    asked = api.get(resource, asset=asset, method="OPTIONS")
    assert (asked["statusCode"], asked["body"], asked["headers"]["Access-Control-Allow-Origin"]) == (204, "", "*")


GUARDED = "/api/v1/inventory/adjustments/{id}/reversal"


def test_a_preflight_names_the_allowed_origin_and_every_header_that_a_request_can_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Api(monkeypatch, ALLOWED_ORIGIN="https://shop.example").get(GUARDED, method="OPTIONS")
    assert (asked["statusCode"], asked["body"]) == (204, "")
    assert asked["headers"]["Access-Control-Allow-Origin"] == "https://shop.example"
    allowed = asked["headers"]["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "x-business-id", "idempotency-key", "content-type"} <= set(allowed)
    assert set(asked["headers"]["Access-Control-Allow-Methods"].split(", ")) == {
        method for route in ROUTES for method in route.methods
    }


def test_without_an_allowed_origin_a_preflight_finds_nothing(api: Api) -> None:
    asked = api.get(GUARDED, method="OPTIONS")
    assert asked["statusCode"] == 404
    assert json.loads(asked["body"])["detail"]["code"] == "not_found"
    assert not [name for name in asked["headers"] if name.startswith("Access-Control-Allow")]


def test_the_page_with_a_trailing_slash_redirects_to_the_page_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event = load_event("describe-api") | {"resource": "/api/v1/docs", "path": "/api/v1/docs/"}
    module: Any = load_handler("describe_api", monkeypatch)

    answer = module.handler(event, Context(aws_request_id="the-request"))

    assert (answer["statusCode"], answer["body"]) == (308, "")
    assert urljoin("https://api.example/dev/api/v1/docs/", answer["headers"]["Location"]) == (
        "https://api.example/dev/api/v1/docs"
    )
    assert answer["headers"]["x-request-id"] == "the-request"
    assert module.handler(event | {"path": "/api/v1/docs"}, Context())["statusCode"] == 200


@pytest.mark.parametrize(("resource", "asset"), [("/api/v1/openapi.json", None), (ASSET, "docs.js")])
def test_files_without_links_are_served_with_a_trailing_slash_too(
    resource: str, asset: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = resource.replace("{asset}", asset or "")
    event = load_event("describe-api") | {"resource": resource, "pathParameters": asset and {"asset": asset}}
    module: Any = load_handler("describe_api", monkeypatch)

    plain, slashed = (module.handler(event | {"path": each}, Context()) for each in (path, f"{path}/"))

    assert plain == slashed
    assert plain["statusCode"] == 200


@pytest.mark.parametrize(
    "name", ["handler.py", "../handler.py", "docs.html", "openapi.json", "swagger-ui.css.gz", "", "/api/v1/docs/x"]
)
def test_a_path_outside_the_page_is_not_found(name: str, api: Api) -> None:
    answer = api.get(ASSET, asset=name)

    assert answer["statusCode"] == 404
    assert json.loads(answer["body"]) == {
        "detail": {"code": "not_found", "message": "There is no such path or method."}
    }
    assert answer["headers"]["x-request-id"] == "the-request"


@pytest.mark.parametrize(("resource", "asset"), [("/api/v1/docs", None), (ASSET, "docs.js"), (ASSET, "nothing")])
def test_the_page_may_load_and_send_nothing_elsewhere(resource: str, asset: str | None, api: Api) -> None:
    headers = api.get(resource, asset=asset)["headers"]

    policy = dict(each.strip().split(" ", 1) for each in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    sources = {source for each in policy.values() for source in each.split()}
    assert sources <= {"'none'", "'self'", "data:"}
    assert [name for name, value in policy.items() if "data:" in value] == ["img-src"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("name", ["docs.html", "docs.js", "docs.css"])
def test_our_own_files_of_the_page_name_no_other_host(name: str) -> None:
    assert "//" not in re.sub(r"^//.*$", "", (FOLDER / name).read_text(encoding="utf-8"), flags=re.MULTILINE)


APP = "/api/v1/app"
APP_ASSET = "/api/v1/app/{asset}"


def parts_of_the_app(api: Api) -> dict[str, str]:
    """Every part that the page loads, and those that they load in turn: its name as it is loaded, and its text."""
    found: dict[str, str] = {}
    named = re.findall(r'(?:src|href)="app/([^"]+)"', api.get(APP)["body"])
    while named:
        name = named.pop()
        if name not in found:
            answer = api.get(APP_ASSET, asset=name)
            assert answer["statusCode"] == 200, name
            assert "immutable" in answer["headers"]["Cache-Control"], name
            found[name] = answer["body"]
            named += re.findall(r'(?:from |import\()"\./([^"]+)"', found[name])
    return found


def test_the_app_loads_every_file_of_its_folder_under_the_name_of_its_version(api: Api) -> None:
    loaded = sorted(re.sub(r"\.[0-9a-f]{12}\.", ".", name) for name in parts_of_the_app(api))
    assert loaded == sorted(path.name for path in (FOLDER / "app").iterdir() if path.suffix != ".html")


def test_a_change_of_a_module_changes_the_names_of_those_that_import_it(tmp_path: Path) -> None:
    def named(leaf: str) -> str:
        (tmp_path / "app.html").write_text('<script src="app/main.js">')
        (tmp_path / "main.js").write_text('import { leaf } from "./leaf.js";')
        (tmp_path / "leaf.js").write_text(leaf)
        parts = {"main.js": "text/javascript", "leaf.js": "text/javascript"}
        files = StaticFiles(tmp_path, "none", {APP: ("app.html", "text/html")}, parts, prefix="app")
        return files.answer({"resource": APP, "headers": {}}, request_id="the-request")["body"]

    assert named("export const leaf = 1;") == named("export const leaf = 1;") != named("export const leaf = 2;")


def test_the_address_of_the_app_with_a_slash_leads_to_the_app(api: Api) -> None:
    event = load_event("describe-api") | {"resource": APP, "path": "/api/v1/app/"}
    answer = api.module.handler(event, Context())
    assert answer["statusCode"] == 308
    assert urljoin("https://api.example/dev/api/v1/app/", answer["headers"]["Location"]) == (
        "https://api.example/dev/api/v1/app"
    )


def test_no_part_of_the_app_makes_elements_of_text() -> None:
    for path in (FOLDER / "app").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), path
