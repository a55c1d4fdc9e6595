"""The function that serves the API's description, on a library that is put beside it as its layer is."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest

from tests.support.harness.loading import ROOT, Context, load_event, load_handler

if TYPE_CHECKING:
    from pathlib import Path

    from inventory.api.shapes import PageResponse

FOLDER = ROOT / "functions" / "describe_api"
LIBRARY = {"swagger-ui-bundle.js": "a library", "swagger-ui.css": "its style"}
ASSET = "/api/v1/docs/{asset}"


class Api:
    """One environment of the function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._module: Any = load_handler("describe_api", monkeypatch)

    def get(self, resource: str, *, asset: str | None = None, **headers: str) -> PageResponse:
        event = load_event("describe-api") | {
            "resource": resource,
            "pathParameters": None if asset is None else {"asset": asset},
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
        }
        answer: PageResponse = self._module.handler(event, Context(aws_request_id="the-request"))
        json.dumps(answer)
        return answer


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    (tmp_path / "swagger_ui").mkdir()
    for name, text in LIBRARY.items():
        (tmp_path / "swagger_ui" / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    monkeypatch.syspath_prepend(tmp_path)
    return Api(monkeypatch)


def test_the_document_is_the_one_in_the_repository(api: Api) -> None:
    answer = api.get("/api/v1/openapi.json")

    assert answer["statusCode"] == 200
    assert answer["body"] == (FOLDER / "openapi.json").read_text(encoding="utf-8")
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["x-request-id"] == "the-request"
    assert answer["isBase64Encoded"] is False


def test_everything_that_the_page_names_is_there_with_its_type(api: Api) -> None:
    page = api.get("/api/v1/docs")
    assert page["headers"]["Content-Type"] == "text/html; charset=utf-8"

    named = re.findall(r'(?:src|href)="docs/([^"]+)"', page["body"])

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


def test_browsers_cache_the_library_for_an_hour_and_revalidate_the_rest(api: Api) -> None:
    kept = {name: api.get(ASSET, asset=name)["headers"]["Cache-Control"] for name in (*LIBRARY, "docs.js", "docs.css")}
    kept |= {path: api.get(path)["headers"]["Cache-Control"] for path in ("/api/v1/openapi.json", "/api/v1/docs")}

    assert {name for name, value in kept.items() if value == "public, max-age=3600"} == set(LIBRARY)
    assert {name for name, value in kept.items() if value == "no-cache"} == kept.keys() - LIBRARY.keys()


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
