"""Clients of all kinds walk the same way through the service: generated ones, and the samples of the public page."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.pages import code
from tests.support.sam_template import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import LocalStack
    from tests.e2e.service import Business, Service

DOCUMENT: Final = PROJECT_ROOT / "functions/describe_api/openapi.json"
PROGRAMS: Final = PROJECT_ROOT / "tests/clients"
SAMPLES: Final = (PROGRAMS / "public_page_samples.md").read_text(encoding="utf-8")
PYTHON: Final = PROJECT_ROOT / ".venv-python-client/bin"
TYPESCRIPT: Final = PROJECT_ROOT / ".typescript-client"

needs_python_client = pytest.mark.skipif(
    not (PYTHON.parent / ".installed").exists(), reason="`make api-tools` installs the generator of Python clients"
)
needs_typescript_client = pytest.mark.skipif(
    not (TYPESCRIPT / ".installed").exists(), reason="`make api-tools` installs the generator of TypeScript clients"
)


def run(command: list[str], folder: Path, **environment: str) -> str:
    """Run a program with nothing of this process's settings but its path; return what it printed."""
    done = subprocess.run(  # noqa: S603  our own programs
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "*"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names(business: Business) -> dict[str, str]:
    return {
        "BASE_URL": business.service.base_url,
        "TOKEN": business.token,
        "BUSINESS": business.id,
        "VARIANT": business.variant_id,
    }


# ---------------------------------------------------------------------------------------------------- generated clients


@needs_python_client
def test_a_generated_python_client_walks_through_the_service(business: Business, tmp_path: Path) -> None:
    generate = [str(PYTHON / "openapi-python-client"), "generate", "--path", str(DOCUMENT)]
    said = run([*generate, "--output-path", "generated", "--meta", "none"], tmp_path, PATH=f"{PYTHON}:/usr/bin:/bin")
    assert "Warning" not in said
    walked = run([str(PYTHON / "python"), str(PROGRAMS / "walk.py")], tmp_path, PYTHONPATH=".", **names(business))
    assert walked == "walked\n"


TYPESCRIPT_SETTINGS: Final = {
    "compilerOptions": {
        "module": "nodenext",
        "target": "es2022",
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "skipLibCheck": True,
        "types": ["node"],
        "outDir": "compiled",
    },
    "files": ["walk.ts"],
}


@needs_typescript_client
def test_a_generated_typescript_client_with_zod_compiles_strictly_and_walks_through_the_service(
    business: Business, tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text(json.dumps(TYPESCRIPT_SETTINGS), encoding="utf-8")
    shutil.copy(PROGRAMS / "walk.ts", tmp_path)
    # Requests are not validated: the generated client hands its validator headers in a form that no schema describes.
    settings = {
        "input": str(DOCUMENT),
        "output": {"path": "generated", "module": {"extension": ".js"}},
        "plugins": [
            "@hey-api/client-fetch",
            "@hey-api/typescript",
            "zod",
            {"name": "@hey-api/sdk", "validator": {"response": "zod"}},
        ],
    }
    (tmp_path / "settings.mjs").write_text(f"export default {json.dumps(settings)}", encoding="utf-8")
    programs = tmp_path / "node_modules/.bin"
    run([str(programs / "openapi-ts"), "--file", "settings.mjs"], tmp_path)
    run([str(programs / "tsc")], tmp_path)
    assert run(["node", "compiled/walk.js"], tmp_path, **names(business)) == "walked\n"


# ------------------------------------------------------------------------------------------ samples of the public page


def as_a_caller_would(sample: str, business: Business) -> str:
    """A sample with the caller's own address, token and business."""
    for placeholder, own in (
        ("https://api.ondayzero.com", business.service.base_url),
        ("dz_your_token", business.token),
        ("YOUR_BUSINESS_ID", business.id),
    ):
        assert placeholder in sample
        sample = sample.replace(placeholder, own)
    return sample


def filled_in(sample: str, business: Business) -> str:
    """The same with values that make sense in the place of the page's."""
    filled = sample.replace('"variant_id": "string"', f'"variant_id": "{business.variant_id}"')
    filled = filled.replace('"quantity_change": 0', '"quantity_change": 7')
    assert len(re.findall(r'"string"|: 0', filled)) == 1, "the reason may stay"
    return filled


def answered(language: str, sample: str, folder: Path) -> Any:
    """Run a sample by its language's own program; return the body of the answer."""
    match language:
        case "bash":
            return json.loads(run(["bash", "-c", sample], folder))
        case "javascript":
            (folder / "sample.mjs").write_text(f"{sample}\nconsole.log(JSON.stringify(data));", encoding="utf-8")
            return json.loads(run(["node", "sample.mjs"], folder))
        case _:
            program = f"{sample}\nimport json\nprint(json.dumps(data))"
            python = str(PROJECT_ROOT / ".venv/bin/python")
            return json.loads(run([python, "-c", program], folder))


PROGRAM_OF: Final = {"bash": "curl", "javascript": "node", "python": "python3"}


@pytest.mark.parametrize("language", PROGRAM_OF)
def test_a_sample_of_the_public_page_runs_as_it_stands_there(language: str, business: Business, tmp_path: Path) -> None:
    if shutil.which(PROGRAM_OF[language]) is None:
        pytest.skip(f"{PROGRAM_OF[language]} is not installed")
    (sample,) = code(SAMPLES, language)
    sample = as_a_caller_would(sample, business)
    refused = answered(language, sample, tmp_path)
    assert [entry["loc"] for entry in refused["detail"]] == [["body", "variant_id"], ["body", "quantity_change"]]
    created = answered(language, filled_in(sample, business), tmp_path)
    assert (created["delta"], created["quantity_after"], created["correction_reason"]) == (7, 7, "string")


def test_the_examples_of_the_document_are_answered_by_the_demo_as_the_document_says(
    service: Service, local_stack: LocalStack
) -> None:
    """Each read that needs no more than the examples of its parameters."""
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    demo = json.loads(local_stack.places.demo_json.read_text(encoding="utf-8"))["businesses"][0]
    asked = 0
    for path, methods in paths.items():
        if "get" not in methods:
            continue
        parameters = {each["name"]: each["example"] for each in methods["get"]["parameters"] if "example" in each}
        url = service.base_url + path.format(**parameters)
        headers = {
            "Authorization": f"Bearer {demo['read_only_token']}",
            "x-business-id": parameters["x-business-id"],
        }
        answer = service.http.get(url, headers=headers)
        assert answer.status_code == 200, (path, answer.text)
        described = methods["get"]["responses"]["200"]["content"]["application/json"]["examples"]
        (first, *_) = described.values()
        assert answer.json().keys() == first["value"].keys(), path
        asked += 1
    assert asked > 3
