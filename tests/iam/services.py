"""What AWS's services do by themselves: API Gateway and rules invoke functions, rules send to queues.

No role of the stack decides that. The policies of the functions' aliases and of the queues do, each for one sender.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tests.iam.deployed import ACCOUNT, QUEUE, REGION, RULE
from tests.iam.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.iam.deployed import Deployed

API_GATEWAY: Final = "apigateway.amazonaws.com"
EVENTS: Final = "events.amazonaws.com"
_REST_API: Final = "AWS::ApiGateway::RestApi"


def deliveries(stack: Deployed) -> list[Request]:
    """Every call and message of the API's methods, its authorizer, and the rules."""
    return [*_of_apis(stack), *_of_rules(stack)]


def forged_deliveries(stack: Deployed) -> list[Request]:
    """The same for another API, rule or method, by another service, and to queues that no rule may send to."""
    made = []
    for each in deliveries(stack):
        source = _source_of(each)
        others = [re.sub(r"(execute-api:[^:]+:\d+:|rule/)[\w-]+", r"\1another", source)]
        if "/POST/" in source or "/GET/" in source:
            others.append(re.sub("/(POST|GET)/", "/DELETE/", source))
        made += [_request(each.principal, each.action, each.resource, other) for other in others]
        made.append(_request("sns.amazonaws.com", each.action, each.resource, source))
    sent_to = {each.resource for each in deliveries(stack)}
    (rule,) = {_source_of(each) for each in deliveries(stack) if each.action == "sqs:SendMessage"}
    unsent = [arn for arn in map(stack.arn, stack.of_type(QUEUE)) if arn not in sent_to]
    return made + [_request(EVENTS, "sqs:SendMessage", arn, rule) for arn in unsent]


def _of_apis(stack: Deployed) -> Iterator[Request]:
    for name, api in stack.of_type(_REST_API).items():
        source = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{stack.physical_name(name)}"
        for path, methods in api["Body"]["paths"].items():
            for method, operation in methods.items():
                alias = _invoked(operation["x-amazon-apigateway-integration"]["uri"])
                yield _invocation(API_GATEWAY, alias, f"{source}/any-stage/{method.upper()}{path}")
        for scheme in api["Body"]["components"]["securitySchemes"].values():
            alias = _invoked(scheme["x-amazon-apigateway-authorizer"]["authorizerUri"])
            yield _invocation(API_GATEWAY, alias, f"{source}/authorizers/any")


def _of_rules(stack: Deployed) -> Iterator[Request]:
    for name, rule in stack.of_type(RULE).items():
        for target in rule["Targets"]:
            for arn in (target["Arn"], *target.get("DeadLetterConfig", {}).values()):
                if ":sqs:" in arn:
                    yield _request(EVENTS, "sqs:SendMessage", arn, stack.arn(name))
                else:
                    yield _invocation(EVENTS, arn, stack.arn(name))


def _invoked(uri: str) -> str:
    """The alias that an integration names."""
    return uri.partition("/functions/")[2].removesuffix("/invocations")


def _invocation(service: str, alias: str, source: str) -> Request:
    assert ":function:" in alias, f"who may invoke {alias}?"
    return _request(service, "lambda:InvokeFunction", alias, source)


def _request(service: str, action: str, resource: str, source: str) -> Request:
    return Request(service, action, resource, (("aws:SourceArn", (source,)),))


def _source_of(request: Request) -> Any:
    return dict(request.context)["aws:SourceArn"][0]
