"""`make run`, `make stop` and what they leave behind."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from inventory.domain.errors import InsufficientStock
from tests.e2e.conftest import local_service
from tests.e2e.inbox import subscribed
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Service


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
        ]
        assert business["default_location_id"] in business["location_ids"]
        assert len(business["location_ids"]) >= 2
        assert len(business["variant_ids"]) >= 3


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
