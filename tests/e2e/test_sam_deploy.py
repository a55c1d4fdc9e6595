"""What the real `sam deploy` sends for each stage, to a stand-in for CloudFormation and S3 on this machine."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
import yaml

from local.places import SAM_PYTHON
from local.sam import prepare_sam_settings, tool_environment
from tests.support.expanded import SAMCONFIG, stage
from tests.support.fakes.cloudformation import BUCKET, CloudFormation, members
from tests.support.sam_template import MONITORING, PROJECT_ROOT, load_root, resources
from tools.template import read_template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import LocalStack

LAYERS = {"DependenciesArm64Layer", "DependenciesX86Layer", "InventoryLayer", "SwaggerUiLayer"}
NEEDED = {
    *("cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet"),
    *("cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents", "cloudformation:GetTemplateSummary"),
    *("s3:HeadObject", "s3:PutObject"),
}
"""What whoever deploys must be allowed, besides what CloudFormation then does in their name."""


@contextmanager
def served(*stacks: str) -> Iterator[CloudFormation]:
    with CloudFormation(*stacks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def deployed(local_stack: LocalStack, folder: Path, name: str, server: CloudFormation) -> None:
    """Deploy what `sam build` made, as `make deploy STAGE=…` does."""
    places = local_stack.places
    (folder / ".aws-sam").mkdir()
    (folder / ".aws-sam" / "this-deployment.yaml").write_text("CodeVersion: the-hash\n", encoding="utf-8")
    (folder / "samconfig.toml").write_bytes((PROJECT_ROOT / "samconfig.toml").read_bytes())
    prepare_sam_settings(places)
    done = subprocess.run(  # noqa: S603  our own interpreter and arguments
        [
            *(str(SAM_PYTHON), "-m", "samcli", "deploy", "--config-env", name, "--no-confirm-changeset"),
            *("--config-file", str(folder / "samconfig.toml"), "--template-file", str(places.built_template)),
        ],
        cwd=folder,
        env=tool_environment(places, server.url),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Sent:
    """A deployment of a stage, as it was sent."""

    def __init__(self, server: CloudFormation) -> None:
        self.server = server
        self.change_set = server.change_set
        self.template: dict[str, Any] = yaml.safe_load(server.uploaded(self.change_set["TemplateURL"]))

    def archive(self, address: str) -> list[str]:
        with ZipFile(BytesIO(self.server.uploaded(address))) as archive:
            return archive.namelist()


@pytest.fixture(scope="module", params=["dev", "prod"])
def sent(
    request: pytest.FixtureRequest, local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Sent]]:
    """The first deployment of `dev`, and a later one of `prod`."""
    name: str = request.param
    there = () if name == "dev" else (SAMCONFIG[name]["deploy"]["parameters"]["stack_name"],)
    with served(*there) as server:
        deployed(local_stack, tmp_path_factory.mktemp(name), name, server)
        yield name, Sent(server)


def test_the_change_set_names_stack_capabilities_and_tags(sent: tuple[str, Sent]) -> None:
    name, deployment = sent
    change_set = deployment.change_set
    assert change_set["StackName"] == f"inventory-adjustments-{name}"
    assert change_set["ChangeSetType"] == ("CREATE" if name == "dev" else "UPDATE")
    # Roles without names of their own, and a macro besides SAM's.
    assert [each[""] for each in members(change_set, "Capabilities")] == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    assert {each["Key"]: each["Value"] for each in members(change_set, "Tags")} == {
        "service": "inventory-adjustments",
        "stage": name,
    }


def test_every_parameter_is_sent_with_the_stages_value_and_none_keeps_its_last_one(sent: tuple[str, Sent]) -> None:
    name, deployment = sent
    parameters = members(deployment.change_set, "Parameters")
    assert not any(each.get("UsePreviousValue") == "true" for each in parameters)
    assert {each["ParameterKey"]: each["ParameterValue"] for each in parameters} == stage(name) | {
        "CodeVersion": "the-hash"
    }
    assert {each["ParameterKey"] for each in parameters} == load_root()["Parameters"].keys()


def test_the_template_is_sent_with_both_transforms_and_its_loops(sent: tuple[str, Sent]) -> None:
    _, deployment = sent
    assert deployment.template["Transform"] == load_root()["Transform"]
    loops = [each for each in deployment.template["Resources"] if each.startswith("Fn::ForEach::")]
    assert loops == [each for each in read_as_written()["Resources"] if each.startswith("Fn::ForEach::")]
    assert loops


def read_as_written() -> dict[str, Any]:
    """The template with its loops not written out."""

    class Loader(yaml.SafeLoader):
        """Reads a short form such as ``!Ref`` as its value alone."""

    Loader.add_multi_constructor("!", lambda loader, _, node: _plain(loader, node))
    found: dict[str, Any] = yaml.load((PROJECT_ROOT / "template.yaml").read_text(encoding="utf-8"), Loader)  # noqa: S506
    return found


def _plain(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    match node:
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            return loader.construct_mapping(node, deep=True)
        case _:
            return node.value


def test_every_function_and_layer_is_uploaded_with_its_code_and_nothing_else(sent: tuple[str, Sent]) -> None:
    _, deployment = sent
    functions = {name: deployment.template["Resources"][name] for name in resources("AWS::Serverless::Function")}
    for name, function in functions.items():
        folder = PROJECT_ROOT / resources("AWS::Serverless::Function")[name]["Properties"]["CodeUri"]
        files = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}
        sent_files = {each for each in deployment.archive(function["Properties"]["CodeUri"]) if not each.endswith("/")}
        assert sent_files == {each for each in files if "__pycache__" not in each}
    layers = {name: deployment.template["Resources"][name]["Properties"]["ContentUri"] for name in LAYERS}
    assert set(resources("AWS::Serverless::LayerVersion")) == LAYERS
    assert all(each.startswith("python/") for name in LAYERS for each in deployment.archive(layers[name]))
    assert "python/inventory/__init__.py" in deployment.archive(layers["InventoryLayer"])
    assert "python/pydantic/__init__.py" in deployment.archive(layers["DependenciesArm64Layer"])


def test_the_nested_template_is_uploaded_as_it_is(sent: tuple[str, Sent]) -> None:
    _, deployment = sent
    location = deployment.template["Resources"]["MonitoringStack"]["Properties"]["Location"]
    uploaded = yaml.safe_load(deployment.server.uploaded(location))
    for name, each in uploaded["Resources"].items():
        assert each.pop("Metadata") == {"SamResourceId": name}  # all that SAM puts in
    assert json.dumps(uploaded, sort_keys=True) == json.dumps(read_template(MONITORING), sort_keys=True)


def test_nothing_else_is_called_and_all_lands_under_the_stages_prefix(sent: tuple[str, Sent]) -> None:
    name, deployment = sent
    assert set(deployment.server.calls) <= NEEDED
    assert all(each.startswith(f"inventory-adjustments-{name}/") for each in deployment.server.objects)
    text = json.dumps(deployment.template)
    assert f"s3://{BUCKET}/" in text
    assert str(PROJECT_ROOT) not in text
