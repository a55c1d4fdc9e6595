"""The request that API Gateway sends to an authorizer, and the policy that answers it. Standard library only.

The gateway caches a policy for a minute and applies it to every later request of the same token and business, so a
policy names all routes that the token may call, not only the one that was called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeIs

from inventory.api.headers import has_headers, header
from inventory.api.routes import ROUTES
from inventory.domain.api_tokens import Unauthenticated, authorize, digest_of, token_id_of, well_formed
from inventory.domain.timestamps import instant_text
from inventory.domain.uuids import parse_uuid

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inventory.api.routes import Route
    from inventory.api.shapes import AuthorizerEvent, Policy, PolicyDocument, Statement
    from inventory.domain.api_tokens import Grant, WrongBusiness
    from inventory.domain.retry_budget import RetryBudget
    from inventory.storage.tokens import TokenTable

ANONYMOUS: Final = "anonymous"
"""The principal of a caller without a valid token."""


def is_authorizer_event(event: object) -> TypeIs[AuthorizerEvent]:
    """Whether this has the shape of the gateway's events: a direct invocation can send anything."""
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


def decide(
    event: AuthorizerEvent, tokens: TokenTable, budget: RetryBudget, clock: Callable[[], datetime]
) -> Grant | WrongBusiness | Unauthenticated:
    """Decide which business and which scopes the caller may use.

    Raises:
        StoreUnavailable: the token could not be read in time.
    """
    authorization, business_id = header(event, "authorization"), header(event, "x-business-id")
    if not authorization or not business_id:
        return Unauthenticated("missing")
    token = bearer_token(authorization)
    if not well_formed(token):
        return Unauthenticated("malformed")
    digest = digest_of(token)
    known = budget.retry(lambda: tokens.find(token_id_of(digest)))
    return authorize(known, digest, parse_uuid(business_id), clock())


def allow(grant: Grant, method_arn: str) -> Policy:
    """Allow exactly the routes of the grant's scopes, on the API and stage of ``method_arn``.

    A grant that opens no route is an explicit denial: the gateway treats a policy without a statement as our error.
    The gateway also serves a path with a slash at its end, and compares the path as it was sent: both are allowed.
    """
    patterns = sorted({each for route in ROUTES if route.scope in grant.scopes for each in patterns_of(route)})
    if not patterns:
        return deny(grant.token_id, method_arn)
    resources = [f"{_stage_arn(method_arn)}/{path}" for each in patterns for path in (each, f"{each}/")]
    policy = _policy(grant.token_id, "Allow", resources)
    policy["context"] = {
        "business_id": str(grant.business_id),
        "subject": grant.subject,
        "scopes": " ".join(sorted(grant.scopes)),
        "token_id": grant.token_id,
    }
    # The gateway caches this answer for a minute, and the token can expire before that: the functions check it again.
    if grant.expires_at is not None:
        policy["context"]["expires_at"] = instant_text(grant.expires_at)
    # A business has one rate limit, however many tokens. Its key is its id: only this answer can name a key, so the key
    # need not be secret.
    policy["usageIdentifierKey"] = str(grant.business_id)
    return policy


def deny(principal_id: str, method_arn: str) -> Policy:
    """Deny every route of the API and stage of ``method_arn``."""
    return _policy(principal_id, "Deny", [f"{_stage_arn(method_arn)}/*"])


def patterns_of(route: Route) -> list[str]:
    """Each method and the path of a route as a policy names them.

    A ``*`` matches slashes too. That is wanted for reads: one pattern opens all that lies below a path, for example
    ``GET/…/levels/*``. A route that changes something opens no other: each of its parameters is a ``*``.
    """
    if route.method == "GET":
        before, parameter, _ = route.path.partition("{")
        path = f"{before}{'*' if parameter else ''}"
    else:
        path = "/".join("*" if part.startswith("{") else part for part in route.path.split("/"))
    return [f"{method}{path}" for method in route.methods]


def _stage_arn(method_arn: str) -> str:
    """``arn:aws:execute-api:region:account:api/stage`` of ``…/stage/METHOD/path``."""
    api, stage, _ = method_arn.split("/", 2)
    return f"{api}/{stage}"


def _policy(principal_id: str, effect: Literal["Allow", "Deny"], resources: list[str]) -> Policy:
    statement: Statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resources}
    document: PolicyDocument = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": principal_id, "policyDocument": document}
