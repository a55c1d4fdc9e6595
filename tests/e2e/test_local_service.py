"""`make run`, `make stop` and what they leave behind."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.errors import InsufficientStock
from local.places import Places
from tests.campaigns.chaos.stack import function_processes, kill
from tests.e2e.conftest import LocalStack, local_service
from tests.e2e.inbox import subscribed, wait_until
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.e2e.service import Business, Service


CHANGED = "The text of another layer."


def demo_of(stack: LocalStack) -> dict[str, Any]:
    demo: dict[str, Any] = json.loads(stack.places.demo_json.read_text(encoding="utf-8"))
    return demo


def printed_curl(output: str) -> str:
    found = re.search(r"^curl (?:.*\\\n)*.*$", output, re.MULTILINE)
    assert found, output
    return found[0]


def test_demo_json_has_every_member_of_the_contract(local_stack: LocalStack) -> None:
    demo = demo_of(local_stack)
    assert list(demo) == ["base_url", "endpoint_url", "region", "outputs", "businesses"]
    assert demo["endpoint_url"] == f"http://127.0.0.1:{local_stack.port}"
    assert demo["base_url"].startswith(demo["endpoint_url"] + "/")
    assert demo["outputs"]["ApiUrl"] == demo["base_url"]
    assert len(demo["businesses"]) == 2
    for business in demo["businesses"]:
        assert list(business) == [
            "id",
            "name",
            "token",
            "read_only_token",
            "default_location_id",
            "location_ids",
            "variant_ids",
            "locations",
            "variants",
        ]
        assert business["default_location_id"] in business["location_ids"]
        assert len(business["location_ids"]) >= 2
        assert len(business["variant_ids"]) >= 3
        assert [each["id"] for each in business["locations"]] == business["location_ids"]
        assert [each["id"] for each in business["variants"]] == business["variant_ids"]
        assert all(each["name"] and each["sku"] for each in business["variants"])


def test_the_demo_tokens_write_and_only_read(local_stack: LocalStack, service: Service) -> None:
    for business in demo_of(local_stack)["businesses"]:
        body = {"variant_id": business["variant_ids"][0], "quantity_change": 1, "reason": "r"}
        statuses = [
            service.post(
                body, {"Authorization": f"Bearer {business[token]}", "x-business-id": business["id"]}
            ).status_code
            for token in ("token", "read_only_token")
        ]
        assert statuses == [201, 403]


def test_the_printed_curl_answers_201_when_it_is_pasted(local_stack: LocalStack) -> None:
    pasted = subprocess.run(  # noqa: S602  a user's shell runs it unchanged
        printed_curl(local_stack.output), shell=True, capture_output=True, text=True, check=True, timeout=60
    )
    assert re.match(r"HTTP/1\.1 201\b", pasted.stdout), pasted.stdout


def test_the_answer_of_the_printed_curl_ends_with_a_line_end(local_stack: LocalStack) -> None:
    assert r"-w '\n'" in printed_curl(local_stack.output)


def test_the_printed_address_is_that_of_the_docs_page(local_stack: LocalStack, service: Service) -> None:
    (address,) = re.findall(r"http://\S+/docs$", local_stack.output, re.MULTILINE)
    page = service.http.get(address)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")


def test_the_printed_commands_name_the_stacks_own_folder(local_stack: LocalStack) -> None:
    for target in ("logs", "stop"):
        assert f"`make {target} LOCAL_DIR={local_stack.places.local_dir}`" in local_stack.output


def test_make_env_has_what_the_pages_commands_name(local_stack: LocalStack) -> None:
    printed = local_stack.make("env").stdout
    named = dict(
        line.removeprefix("export ").split("=", 1) for line in printed.splitlines() if line.startswith("export")
    )
    demo = demo_of(local_stack)
    assert named["ENDPOINT_URL"] == demo["endpoint_url"]
    for output in ("AdjustmentRequestsQueueUrl", "EventBusName", "ProvisionFunctionName"):
        assert named[output] == demo["outputs"][output]


def test_make_logs_shows_one_line_for_each_request_and_ends_with_the_stack(
    local_stack: LocalStack, business: Business, tmp_path: Path
) -> None:
    """On a folder of logs in which nothing runs: following ends at once."""
    created = business.adjust(1).json()
    log = local_stack.places.functions_log
    wait_until(lambda: created["id"] in log.read_text(encoding="utf-8"))
    folder = tmp_path / "local"
    folder.mkdir()
    shutil.copy(log, folder)
    shown, raw = (LocalStack(Places(folder), 1).make("logs", RAW=raw) for raw in ("", "1"))
    (line,) = [line for line in shown.stdout.splitlines() if created["id"] in line]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d create-adjustment +created +{created['id']} +\d+ ms", line)
    assert f'"adjustment_id":"{created["id"]}"' in raw.stdout
    assert shown.stdout.splitlines()[-1].startswith("Nothing is running: `make run LOCAL_DIR=")


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/api/v1/inventory/adjustments", "/_aws/execute-api/x/local/y"])
def test_an_address_that_is_nobodys_is_answered_in_the_apis_form(
    path: str, local_stack: LocalStack, service: Service
) -> None:
    for url in (f"http://127.0.0.1:{local_stack.port}{path}", f"{service.base_url}/", service.base_url):
        answer = service.http.get(url)
        assert (answer.status_code, answer.json()["detail"]["code"]) == (404, "not_found")


def test_a_function_that_is_killed_is_answered_as_the_template_says(
    local_stack: LocalStack, business: Business
) -> None:
    assert business.adjust(1).status_code == 201
    with ThreadPoolExecutor(1) as clients:
        for attempt in range(50):
            answer = clients.submit(business.adjust, 1, key=f"k{attempt}")
            kill(function_processes(local_stack.places, "CreateAdjustmentFunction"))
            if (response := answer.result()).status_code != 201:
                break  # until then no process had the request when it was killed
    assert (response.status_code, response.json()["detail"]["code"]) == (503, "try_again")
    assert response.headers["Retry-After"]
    assert business.adjust(1, key=f"k{attempt}").status_code == 201


def test_make_run_says_in_one_line_that_it_already_runs(local_stack: LocalStack) -> None:
    again = local_stack.make("run", DETACH="1")
    assert again.returncode != 0
    assert f"already running on port {local_stack.port}" in again.stderr


def test_make_run_says_in_one_line_that_the_port_is_taken(local_stack: LocalStack) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = local_stack.make("run", DETACH="1", PORT=str(port), LOCAL_DIR=str(local_stack.places.local_dir / "b"))
    assert refused.returncode != 0
    assert f"port {port} is taken" in refused.stderr


def test_data_and_tokens_outlive_a_restart_and_rows_are_still_published(
    local_stack: LocalStack, service: Service
) -> None:
    demo = demo_of(local_stack)
    business = demo["businesses"][1]
    headers = {"Authorization": f"Bearer {business['token']}", "x-business-id": business["id"]}
    body = {"variant_id": business["variant_ids"][2], "quantity_change": 5, "reason": "Before the stop"}

    def sequence(response: httpx.Response) -> int:
        assert response.status_code == 201, response.text
        return int(response.json()["sequence"])

    before = sequence(service.post(body, headers))
    assert local_stack.make("stop").returncode == 0
    started = local_stack.make("run", DETACH="1")
    assert started.returncode == 0, started.stdout + started.stderr
    assert demo_of(local_stack) == demo
    started_again = local_service(local_stack, service.http)
    with subscribed(started_again, ["InventoryAdjusted"], {"business_id": [business["id"]]}) as inbox:
        assert sequence(started_again.post(body, headers)) == before + 1
        (event,) = inbox.wait_for(1)
    assert event["detail"]["sequence"] == before + 1


@pytest.fixture
def project_with_another_layer(local_stack: LocalStack, tmp_path: Path) -> Iterator[Path]:
    """This project with one text of its package changed, for the same stack; afterwards the stack is as it was."""
    project = tmp_path / "project"
    shutil.copytree(PROJECT_ROOT, project, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    for environment in (".venv", ".venv-sam", ".venv-emulator"):
        (project / environment).symlink_to(PROJECT_ROOT / environment)
    errors = project / "layers/inventory/inventory/domain/errors.py"
    errors.write_text(errors.read_text(encoding="utf-8").replace(InsufficientStock.message, CHANGED), encoding="utf-8")
    local_stack.make("stop")
    yield project
    local_stack.make("stop")
    assert local_stack.make("run", DETACH="1").returncode == 0


def test_a_change_in_a_layer_alone_reaches_the_api(
    project_with_another_layer: Path, local_stack: LocalStack, service: Service
) -> None:
    started = local_stack.make("run", project=project_with_another_layer, DETACH="1")
    assert started.returncode == 0, started.stdout + started.stderr
    business = demo_of(local_stack)["businesses"][0]
    refusal = service.post(
        {"variant_id": business["variant_ids"][0], "quantity_change": -1_000_000, "reason": "r"},
        {"Authorization": f"Bearer {business['token']}", "x-business-id": business["id"]},
    )
    assert refusal.json()["detail"]["message"] == CHANGED


def test_everything_listens_on_127_0_0_1_only(local_stack: LocalStack) -> None:
    with socket.socket() as outside:
        # Another address of the loopback: what listens on every interface answers there too.
        assert outside.connect_ex(("127.0.0.2", local_stack.port)) != 0
