"""The shapes of API Gateway's events and of the responses to it, as far as the service reads and writes them.

They are for the type checker. No module imports them at run time, as each would cost a cold start.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class HeaderEvent(TypedDict):
    """The part of an event that holds the headers; either member may be missing or null."""

    headers: NotRequired[dict[str, str] | None]
    multiValueHeaders: NotRequired[dict[str, list[str]] | None]


class RequestContext(TypedDict):
    """The gateway's facts about a request; ``authorizer`` is the context that our authorizer returned."""

    authorizer: NotRequired[dict[str, object] | None]
    requestId: NotRequired[object]


class ApiEvent(HeaderEvent):
    """A proxy event (payload format 1.0).

    ``resource`` is the route with its parameters' names, ``path`` the path as it was sent, without the stage.
    """

    httpMethod: str
    requestContext: RequestContext
    resource: str
    path: str
    pathParameters: NotRequired[dict[str, str] | None]
    queryStringParameters: NotRequired[dict[str, str] | None]
    multiValueQueryStringParameters: NotRequired[dict[str, list[str]] | None]
    body: NotRequired[str | None]
    isBase64Encoded: NotRequired[bool]


class Response(TypedDict):
    """A proxy response."""

    statusCode: int
    headers: dict[str, str]
    body: str


class PageEvent(HeaderEvent):
    """A proxy event of a static file; ``resource`` is the route with its parameters' names."""

    httpMethod: NotRequired[str]
    resource: str
    path: NotRequired[str]
    pathParameters: NotRequired[dict[str, str] | None]


class PageResponse(Response):
    """A proxy response whose body may be bytes, in base64."""

    isBase64Encoded: bool


class AuthorizerEvent(HeaderEvent):
    """An event of a REQUEST authorizer."""

    methodArn: str


class Statement(TypedDict):
    """One statement of a policy."""

    Action: str
    Effect: Literal["Allow", "Deny"]
    Resource: list[str]


class PolicyDocument(TypedDict):
    """An IAM policy."""

    Version: str
    Statement: list[Statement]


class Policy(TypedDict):
    """The answer of an authorizer; ``context`` reaches the functions as ``requestContext.authorizer``, texts only.

    ``usageIdentifierKey`` is the API key that a usage plan counts the request under. The gateway passes it to no
    function, and uses it only where the template requires keys.
    """

    principalId: str
    policyDocument: PolicyDocument
    context: NotRequired[dict[str, str]]
    usageIdentifierKey: NotRequired[str]
