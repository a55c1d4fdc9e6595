"""What `make run` makes of the template for the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.deployment import local_parameters
from local.emulator import calls_in_flight
from local.template import with_names_filled_in
from tests.support.sam_template import TEMPLATE
from tools.template import read_template

if TYPE_CHECKING:
    from pathlib import Path


def test_the_emulator_has_no_more_batches_of_a_queue_under_way_than_it_serves_calls() -> None:
    most = read_template(TEMPLATE)["Parameters"]["QueueConcurrency"]["Default"]

    assert calls_in_flight() >= 4
    assert int(local_parameters("x")["QueueConcurrency"]) == min(calls_in_flight(), most)


def test_a_name_that_a_parameter_is_part_of_is_filled_in_and_nothing_else_is_changed() -> None:
    template = read_template(TEMPLATE)

    changed = with_names_filled_in(template, local_parameters("x"))

    (of_the_api,) = changed["Resources"]["UsagePlan"]["Properties"]["ApiStages"]
    assert of_the_api == {"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "ApilocalStage"}}
    of_the_api["Stage"] = {"Ref": {"Fn::Sub": "Api${Stage}Stage"}}
    association = changed["Resources"]["WebAccessControlOfTheStage"]["Properties"]["ResourceArn"]["Fn::Sub"]
    association[1]["TheStage"] = of_the_api["Stage"]
    assert changed == template


def test_a_loop_is_written_out_in_names_references_and_texts_and_nothing_else_is_changed(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        """
        Resources:
          Fn::ForEach::Topics:
            - Name
            - [Red, Blue]
            - ${Name}Topic:
                Type: AWS::SNS::Topic
                Properties:
                  DisplayName: !Ref Name
                  TopicName: !Sub ${AWS::StackName}-${Name}
                  Tags: [{ Key: of, Value: !GetAtt [!Sub "${Name}Queue", Arn] }, { Key: other, Value: !Ref Stage }]
          Other: { Type: AWS::SNS::Topic }
        """,
        encoding="utf-8",
    )

    written = read_template(tmp_path / "template.yaml")

    assert list(written["Resources"]) == ["RedTopic", "BlueTopic", "Other"]
    assert written["Resources"]["BlueTopic"]["Properties"] == {
        "DisplayName": "Blue",
        "TopicName": {"Fn::Sub": "${AWS::StackName}-Blue"},
        "Tags": [
            {"Key": "of", "Value": {"Fn::GetAtt": ["BlueQueue", "Arn"]}},
            {"Key": "other", "Value": {"Ref": "Stage"}},
        ],
    }
