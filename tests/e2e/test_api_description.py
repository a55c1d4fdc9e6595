"""The API's own description: open to anybody, the one in the repository, and true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import REQUEST_TIMEOUT_S
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.e2e.service import Business, Service

DOCUMENT = "/api/v1/openapi.json"
PAGE = "/api/v1/docs"
KEPT = PROJECT_ROOT / "functions" / "describe_api" / "openapi.json"

EXAMPLES_MAX = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))
"""Of each operation and phase; set higher to look for longer."""

# A gateway answers 404 to a method that it does not have, as the contract says; Schemathesis would have 405.
EXCLUDED = ("unsupported_method",)


def get(service: Service, path: str, **headers: str) -> httpx.Response:
    return service.http.get(service.base_url + path, headers=headers)


def test_the_document_is_served_without_a_token_as_in_the_repository(service: Service) -> None:
    answer = get(service, DOCUMENT)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == KEPT.read_bytes()


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_the_page_and_its_files_are_served_without_a_token(accepted: str, service: Service) -> None:
    page = get(service, PAGE)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    parts = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)
    assert len(parts) == 4
    for part in parts:
        answer = get(service, f"/api/v1/{part}", **{"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding", "identity") == accepted
    assert "SwaggerUIBundle" in get(service, f"{PAGE}/swagger-ui-bundle.js").text


def test_the_page_with_a_trailing_slash_redirects_to_the_page(service: Service) -> None:
    answer = get(service, f"{PAGE}/")
    assert answer.status_code == 308
    assert str(answer.url.join(answer.headers["location"])) == service.base_url + PAGE


def test_content_that_a_browser_has_cached_is_not_sent_again(service: Service) -> None:
    first = get(service, PAGE)
    again = get(service, PAGE, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_file_that_the_page_does_not_have_is_not_found(service: Service) -> None:
    answer = get(service, f"{PAGE}/handler.py")
    assert answer.status_code == 404
    assert answer.json()["detail"]["code"] == "not_found"


def test_the_server_that_the_document_names_is_the_api(service: Service) -> None:
    answer = get(service, DOCUMENT)
    (server,) = answer.json()["servers"]
    assert str(answer.url.join(server["url"])).rstrip("/") == service.base_url


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(service: Service, business: Business, tmp_path: Path) -> None:
    """From the document that is served; every run sends the same requests, to a business of its own."""
    (tmp_path / "schemathesis.toml").write_text(settings(business), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", service.base_url + DOCUMENT, "--url", service.base_url),
        *("--max-examples", str(EXAMPLES_MAX), "--continue-on-failure", "--request-timeout", str(REQUEST_TIMEOUT_S)),
        *("--exclude-checks", ",".join(EXCLUDED), "--warnings", "off", "--no-color"),
    ]
    # No proxy and no settings of the machine's: only what is said here.
    environment = {
        "PATH": os.environ["PATH"],
        "SCHEMATHESIS_HOOKS": str(PROJECT_ROOT / "tests" / "support" / "harness" / "schemathesis_hooks.py"),
        "VARIANT_ID": business.variant_id,
        "NO_PROXY": "*",
    }
    run = subprocess.run(  # noqa: S603  our own interpreter and arguments
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=580
    )
    assert run.returncode == 0, run.stdout + run.stderr
    operations = sum(len(path) for path in json.loads(KEPT.read_text(encoding="utf-8"))["paths"].values())
    assert f"{operations} selected / {operations} total" in run.stdout
    assert business.stock()[1] > 0, "no request was carried out"


def settings(business: Business) -> str:
    """Who calls, and ids that exist: with random ones every answer would be 404."""
    places = [f"{place}.{{name}}_id" for place in ("body", "query", "path")]
    return "\n".join(
        [
            "[auth.openapi.bearer]",
            f'bearer = "{business.token}"',
            "[generation]",
            "deterministic = true",
            'database = "none"',
            "[phases.stateful]",
            "max-steps = 4",
            "[dictionaries]",
            f'variants = {{ values = ["{business.variant_id}"] }}',
            f'locations = {{ values = ["{business.location_id}", "{business.other_location_id}"] }}',
            "[parameters]",
            f'"header.x-business-id" = "{business.id}"',
            *(f'"{each.format(name="variant")}" = {{ dictionary = "variants", probability = 0.8 }}' for each in places),
            *(
                f'"{each.format(name="location")}" = {{ dictionary = "locations", probability = 0.8 }}'
                for each in places
            ),
        ]
    )
