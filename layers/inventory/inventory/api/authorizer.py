"""What API Gateway asks an authorizer, and the policy that answers it. Standard library only.

The gateway keeps a policy for a minute and judges every later request of the same token and business by it, so a
policy names all routes that the token may call, not only the one that was called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NotRequired, TypedDict, TypeIs

from inventory.api.headers import HeaderEvent, has_headers
from inventory.domain.timestamps import instant_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inventory.domain.api_tokens import Grant, Scope

ROUTES: Final[Mapping[Scope, tuple[str, ...]]] = {
    "adjustments:write": ("POST/api/v1/inventory/adjustments",),
    "adjustments:read": (
        "GET/api/v1/inventory/adjustments",
        "GET/api/v1/inventory/adjustments/*",
        "GET/api/v1/inventory/levels",
        "GET/api/v1/inventory/levels/*",
    ),
    "adjustments:reverse": ("POST/api/v1/inventory/adjustments/*/reversal",),
}
"""Method and path of the routes that each scope opens. A ``*`` in one matches slashes too: ``GET/…/adjustments/*``
would open everything below, so give a path parameter a ``*`` only where that is what the scope means. The gateway finds
a route under a path with a slash at its end too, and asks the policy for the path as it was sent: both are opened."""

ANONYMOUS: Final = "anonymous"
"""The principal of a caller without a good token."""


class AuthorizerEvent(HeaderEvent):
    """A REQUEST authorizer's event, as far as it is read here."""

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
    """What an authorizer answers; ``context`` reaches the functions as ``requestContext.authorizer``, texts only.

    ``usageIdentifierKey`` is the API key that a usage plan counts the request under. It reaches nobody, and only counts
    where the template requires keys.
    """

    principalId: str
    policyDocument: PolicyDocument
    context: NotRequired[dict[str, str]]
    usageIdentifierKey: NotRequired[str]


def is_authorizer_event(event: object) -> TypeIs[AuthorizerEvent]:
    """Whether this has the shape of what the gateway asks: whoever may invoke the function can send anything."""
    return (
        isinstance(event, dict)
        and isinstance(method_arn := event.get("methodArn"), str)
        and method_arn.count("/") > 1
        and has_headers(event)
    )


def bearer_token(authorization: str) -> str:
    """Read the credentials of an ``Authorization: Bearer …`` header; "" for another scheme."""
    scheme, _, credentials = authorization.partition(" ")
    return credentials.lstrip(" ") if scheme.lower() == "bearer" else ""


def allow(grant: Grant, method_arn: str) -> Policy:
    """Allow exactly the routes of the grant's scopes, on the API and stage of ``method_arn``, and say for whom.

    A grant that opens no route is an explicit denial: a policy without a statement is an error of ours to the gateway.
    """
    routes = sorted({route for scope in grant.scopes for route in ROUTES.get(scope, ())})
    if not routes:
        return deny(grant.token_id, method_arn)
    resources = [f"{_stage_arn(method_arn)}/{path}" for route in routes for path in (route, f"{route}/")]
    policy = _policy(grant.token_id, "Allow", resources)
    policy["context"] = {
        "business_id": str(grant.business_id),
        "subject": grant.subject,
        "scopes": " ".join(sorted(grant.scopes)),
        "token_id": grant.token_id,
    }
    # The gateway goes by this answer for a minute, and a token may expire before that: the functions see to it.
    if grant.expires_at is not None:
        policy["context"]["expires_at"] = instant_text(grant.expires_at)
    # A business has one budget, however many tokens. Its key is its id: nobody but this answer can name one, so it need
    # not be a secret.
    policy["usageIdentifierKey"] = str(grant.business_id)
    return policy


def deny(principal_id: str, method_arn: str) -> Policy:
    """Deny every route of the API and stage of ``method_arn``."""
    return _policy(principal_id, "Deny", [f"{_stage_arn(method_arn)}/*"])


def _stage_arn(method_arn: str) -> str:
    """``arn:aws:execute-api:region:account:api/stage`` of ``…/stage/METHOD/path``."""
    api, stage, _ = method_arn.split("/", 2)
    return f"{api}/{stage}"


def _policy(principal_id: str, effect: Literal["Allow", "Deny"], resources: list[str]) -> Policy:
    statement = Statement(Action="execute-api:Invoke", Effect=effect, Resource=resources)
    document = PolicyDocument(Version="2012-10-17", Statement=[statement])
    return Policy(principalId=principal_id, policyDocument=document)
