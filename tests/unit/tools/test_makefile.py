"""The Makefile, run with programs in its environments that only write down what they receive."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.harness.loading import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TEXT: Final = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS: Final = re.findall(r"^([a-z-]+):(?!.*export)", TEXT, re.MULTILINE)
ENVIRONMENTS: Final = ("project", "sam", "emulator", "fuzz", "mutation", "checkov", "parliament", "python-client")
ON_NPM: Final = ("dynoxide", "iam-simulator", "accessibility", "typescript-client", "openapi-linters")

HOSTILE: Final = (
    'it\'s "quoted" $HOME $$ ${HOME} $(HOME) $(shell touch canary) `touch canary` $(touch canary) \\ ;& | > canary'
    " # %\\\n\t$(error no)\nanother line\\"
)
OPTIONS: Final = {
    "run": {"PORT": "--port", "ALLOWED_ORIGIN": "--allowed-origin"},
    "sam-local": {"PORT": "--port", "SAM_PORT": "--sam-port", "SAM_ARGS": "--sam-args"},
    "sam-invoke": {"PORT": "--port", "SAM_ARGS": "--sam-args", "FUNCTION": "--function", "EVENT": "--event"},
    "audit": {"STACK": "--stack", "SEGMENTS": "--segments"},
    "export": {"STACK": "--stack", "BUSINESS": "--business", "FORMAT": "--format"}
    | {"OUT": "--out", "FROM": "--from", "TO": "--to"},
    "import-catalog": {"STACK": "--stack", "BUSINESS": "--business"},
    "import-adjustments": {"STACK": "--stack", "BUSINESS": "--business", "URL": "--url"},
    "import-counts": {"STACK": "--stack", "BUSINESS": "--business", "URL": "--url"},
    "provision": {"STACK": "--stack"},
    "redrive": {"STACK": "--stack", "QUEUE": "--queue"},
    "api-keys": {"STACK": "--stack"},
    "reindex": {"STACK": "--stack"},
    "report": {"URL": "--url", "BUSINESS": "--business", "FROM": "--from", "TO": "--to"}
    | {"LOCATION": "--location", "VARIANT": "--variant", "SKU": "--sku", "SVG": "--svg"},
    "verify-deployed": {"URL": "--url", "BUSINESS": "--business", "VARIANT": "--variant", "LOCATION": "--location"},
    "fuzz": {"SECONDS": "--seconds", "TARGET": "--target"},
    "chaos": {"MINUTES": "--minutes", "SEED": "--seed"},
    "mutation": {"SAMPLE": "--sample", "SEED": "--seed"},
}
"""Variables that become an option, by target."""
FROM_ENVIRONMENT: Final = {
    "run": {"LOCAL_DIR": "LOCAL_DIR"},
    "import-catalog": {"FILE": "FILE"},
    "import-adjustments": {"FILE": "FILE", "TOKEN": "TOKEN"},
    "provision": {"PAYLOAD": "PAYLOAD"},
    "report": {"TOKEN": "TOKEN"},
    "verify-deployed": {"TOKEN": "TOKEN", "READ_TOKEN": "READ_TOKEN"},
    "soak": {"SEED": "SEED", "SEEDS": "SEEDS"},
    "test-deployed": {"STACK": "DEPLOYED_STACK"},
}
"""Variables that a command reads from its environment, and under which name."""
WORDS: Final = {"bench": "BENCH_ARGS", "mutation": "MODULES", "deploy": "SAM_ARGS"}
"""Variables that hold several arguments."""
FLAGS: Final = {
    "run": ("DETACH", "--detach"),
    "logs": ("RAW", "--raw"),
    "export": ("BOM", "--byte-order-mark"),
    "import-catalog": ("DRY", "--dry-run"),
    "import-adjustments": ("BY_QUEUE", "--by-queue"),
    "import-counts": ("DRY", "--dry-run"),
    "redrive": ("DRY", "--dry-run"),
    "chaos": ("CRASHES", "--crashes"),
    "lock": ("UPGRADE", "--upgrade"),
}
NO: Final = ("", "no", "false")
ON_THE_COMMAND_LINE_ONLY: Final = {"STAGE", "STACK", "AT_ONCE"}
MADE_HERE: Final = {
    "DEPLOYED_STACK",
    "FUZZ_SECONDS",
    "HYPOTHESIS_PROFILE",
    "OTHER_ENGINE",
    "OTHER_SDKS",
    "PYTHONPATH",
    "AWS_DEFAULT_REGION",
} | {
    "SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS",
    "SAM_CLI_TELEMETRY",
    "__SAM_CLI_APP_DIR",
}
"""Variables that the Makefile sets for a command."""

RECORDER: Final = f"""#!{sys.executable} -IS
import json, os, sys
if sys.argv[1:3] == ["-m", "tools.with_words"]:
    os.environ["PYTHONPATH"] = {str(ROOT)!r}
    os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
if sys.argv[1:3] == ["-m", "tools.code_version"]:
    sys.exit(print("a-version"))
with open("calls", "a", encoding="utf-8") as calls:
    print(json.dumps([sys.argv[1:], dict(os.environ)]), file=calls)
"""


@dataclass(frozen=True)
class Received:
    """What the last program that make started was given."""

    arguments: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Project:
    """A folder with the Makefile and nothing else that is real."""

    folder: Path

    def make(
        self, target: str, *, exported: dict[str, str] | None = None, **given: str
    ) -> subprocess.CompletedProcess[str]:
        kept = {"HOME": str(self.folder), "PATH": os.environ["PATH"]}
        return subprocess.run(  # noqa: S603  our own Makefile
            ["make", target, *(f"{name}={value}" for name, value in given.items())],  # noqa: S607
            cwd=self.folder,
            env=kept | (exported or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def received(self, target: str, **variables: Any) -> Received:
        """Run make, and return what the last program got that it started."""
        done = self.make(target, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not (self.folder / "canary").exists(), "a value was carried out"
        return Received(*json.loads((self.folder / "calls").read_text(encoding="utf-8").splitlines()[-1]))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copy(ROOT / "Makefile", tmp_path)
    locks = [f"{name}.txt" for name in ENVIRONMENTS] + [f"{name}/package-lock.json" for name in ON_NPM]
    for name in ON_NPM:
        (tmp_path / "tools/locks" / name).mkdir(parents=True)
    for lock in locks:
        (tmp_path / "tools/locks" / lock).touch()
    (tmp_path / "tools/find-python.sh").write_text("#!/bin/sh\necho python\n")
    (tmp_path / "tools/find-python.sh").chmod(0o755)
    for name, program in [*((each, "python") for each in ENVIRONMENTS), ("uv", "uv")]:
        folder = tmp_path / (".venv" if name == "project" else f".venv-{name}")
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / program).write_text(RECORDER, encoding="utf-8")
        (folder / "bin" / program).chmod(0o755)
        (folder / ".installed").touch()
    for name in ON_NPM:
        (tmp_path / f".{name}").mkdir()
        (tmp_path / f".{name}/.installed").touch()
    return Project(tmp_path)


each_way = pytest.mark.parametrize("way", ["given", "exported"])


def passed(way: str, variables: dict[str, str]) -> dict[str, Any]:
    """Pass variables on make's command line; or, where they count there, in its environment."""
    if way == "given":
        return variables
    only = {name: value for name, value in variables.items() if name in ON_THE_COMMAND_LINE_ONLY}
    return only | {"exported": {name: value for name, value in variables.items() if name not in only}}


# --- values are data


@each_way
@pytest.mark.parametrize("target", OPTIONS)
def test_a_value_reaches_the_command_as_it_was_given(project: Project, target: str, way: str) -> None:
    values = {name: f"{name} {HOSTILE}" for name in OPTIONS[target]}
    received = project.received(target, **passed(way, values))

    for name, option in OPTIONS[target].items():
        assert f"{option}={values[name]}" in received.arguments


@each_way
@pytest.mark.parametrize("target", FROM_ENVIRONMENT)
def test_a_value_reaches_the_environment_of_the_command_as_it_was_given(
    project: Project, target: str, way: str
) -> None:
    values = {name: f"{name} {HOSTILE}" for name in FROM_ENVIRONMENT[target]}
    received = project.received(target, **passed(way, values))

    for name, read_as in FROM_ENVIRONMENT[target].items():
        assert received.environment[read_as] == values[name]
    assert HOSTILE not in " ".join(received.arguments), "everybody on the machine can see arguments"


@each_way
@pytest.mark.parametrize("target", WORDS)
def test_words_are_divided_as_in_a_shell_and_not_carried_out(project: Project, target: str, way: str) -> None:
    value = f"{shlex.quote(HOSTILE)} * '' $(shell touch canary)"
    received = project.received(target, **passed(way, {"STAGE": "dev", WORDS[target]: value}))

    assert received.arguments[-6:] == [HOSTILE, "*", "", "$(shell", "touch", "canary)"]


@each_way
@pytest.mark.parametrize("target", FLAGS)
def test_any_value_sets_a_flag(project: Project, target: str, way: str) -> None:
    variable, flag = FLAGS[target]
    assert flag in project.received(target, **passed(way, {variable: HOSTILE})).arguments


@pytest.mark.parametrize(("target", "value"), [*((target, "0") for target in FLAGS), *(("run", no) for no in NO)])
def test_a_no_does_not_set_a_flag(project: Project, target: str, value: str) -> None:
    variable, flag = FLAGS[target]
    assert flag not in project.received(target, **{variable: value}).arguments


def test_the_stage_of_a_deployment_is_data(project: Project) -> None:
    received = project.received("deploy", STAGE=HOSTILE)

    assert received.arguments[-2:] == ["--config-env", HOSTILE]


@pytest.mark.parametrize(("value", "is_written"), [(HOSTILE, 1), ("1", 1), ("0", 0), ("", 0)])
def test_a_deployment_moves_at_once_where_it_is_asked_to(project: Project, value: str, is_written: int) -> None:
    project.received("deploy", STAGE="prod", AT_ONCE=value)

    written = (project.folder / ".aws-sam/this-deployment.yaml").read_text(encoding="utf-8").splitlines()
    assert written == ["CodeVersion: a-version", "DeploymentPreference: AllAtOnce"][: 1 + is_written]


def test_only_the_folder_of_that_name_is_removed(project: Project) -> None:
    name = HOSTILE.replace("/", "")
    (project.folder / name).mkdir()
    (project.folder / "quoted").mkdir()

    assert project.make("clean", LOCAL_DIR=name).returncode == 0

    assert not (project.folder / name).exists()
    assert (project.folder / "quoted").exists()
    assert not (project.folder / "canary").exists()


def test_a_variable_that_the_makefile_does_not_know_is_data_too(project: Project) -> None:
    assert project.received("audit", PAYLAOD=HOSTILE).environment["PAYLAOD"] == HOSTILE


def test_every_variable_that_the_makefile_takes_is_tried_here() -> None:
    read_by_make = re.findall(r"\$\(call (?:option|flag),([A-Z_]+),|with_words ([A-Z_]+) |\$\(value ([A-Z_]+)\)", TEXT)
    read_by_a_shell = re.findall(r"\$\$\{?([A-Z_]+)\b", TEXT)
    said_in_help = re.findall(r"\b([A-Z_]+)=", TEXT)
    taken = {*sum(read_by_make, ()), *read_by_a_shell, *said_in_help} - MADE_HERE - {"", "NAME", "PATH"}
    tried = [*(name for table in (OPTIONS, FROM_ENVIRONMENT) for names in table.values() for name in names)]
    tried += [*WORDS.values(), *(variable for variable, _ in FLAGS.values()), "AT_ONCE", "STAGE"]

    assert taken == set(tried)


def test_no_recipe_writes_a_variable_of_the_command_line_itself() -> None:
    own = set(re.findall(r"^([A-Z_]+) :?=", TEXT, re.MULTILINE)) - ON_THE_COMMAND_LINE_ONLY
    assert set(re.findall(r"\$\(([A-Z_]+)\)", TEXT)) - own == {"CURDIR", "MAKE", "MAKEFILE_LIST", "NAME"}


# --- what is exported does not choose a stack in AWS


@pytest.mark.parametrize("target", ["audit", "export", "provision", "redrive", "api-keys", "reindex"])
def test_what_was_exported_does_not_choose_a_stack_in_aws(project: Project, target: str) -> None:
    """A local command in a shell that was used for production before must not run on production."""
    received = project.received(target, exported={"STACK": "production", "STAGE": "production", "AT_ONCE": "1"})

    assert not any(each.startswith("--stack") for each in received.arguments)
    assert "production" not in received.environment.values()


@pytest.mark.parametrize("target", ["test-deployed", "deploy"])
def test_what_was_exported_is_no_answer_to_which_stack(project: Project, target: str) -> None:
    done = project.make(target, exported={"STACK": "production", "STAGE": "production", "AT_ONCE": "1"})

    assert done.returncode != 0
    assert "which sta" in done.stderr
    assert not (project.folder / "calls").exists()


# --- help


def test_every_target_is_listed_under_a_heading() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    first, *groups = listed.split("\n\n")
    named = [re.findall(r"^  make ([a-z-]+)", group, re.MULTILINE) for group in groups]
    assert all(re.match(r"[A-Z]", group) and targets for group, targets in zip(groups, named, strict=True))
    assert sorted(sum(named, ["help"])) == sorted(TARGETS)
    assert "make help" in first


# --- installing


def test_a_lock_with_other_comments_is_installed_already(project: Project) -> None:
    stamp, lock = project.folder / ".venv/.installed", project.folder / "tools/locks/project.txt"
    stamp.write_text("a==1 \\\n    --hash=x\n    # via b\n")
    lock.write_text("a==1 \\\n    --hash=x\n    # via c\n")
    os.utime(stamp, (0, 0))

    assert project.make("redrive").returncode == 0

    assert "via b" in stamp.read_text()
    assert stamp.stat().st_mtime > 0
