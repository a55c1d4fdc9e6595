"""Authorizer of the REST API: who calls, for which business, and which routes that opens."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from inventory.api import authorizer
from inventory.api.headers import header
from inventory.aws.clients import dynamodb_client
from inventory.domain.api_tokens import (
    Grant,
    Unauthenticated,
    WrongBusiness,
    authorize,
    digest_of,
    token_id_of,
    well_formed,
)
from inventory.domain.retry_budget import RetryBudget
from inventory.domain.uuids import parse_uuid
from inventory.storage.tokens import TokenTable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
access = TokenTable(dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None), os.environ["ACCESS_TABLE"])
SAM_LOCAL = os.environ.get("AWS_SAM_LOCAL") == "true"


class AuthorizerError(Exception):
    """The text of the exceptions that leave here can reach the caller, so it is all that they say."""


# An explicit False: POWERTOOLS_LOGGER_LOG_EVENT=true would log the token.
@logger.inject_lambda_context(clear_state=True, log_event=False)
def handler(event: object, context: LambdaContext) -> authorizer.Policy:
    """Answer a policy; raise "Unauthorized" for the gateway's 401 and anything else for its 503, never kept."""
    if not authorizer.is_authorizer_event(event):
        logger.info("unauthorized", extra={"why": "not from the gateway"})
        raise AuthorizerError("Unauthorized")
    try:
        decision = _decide(event, RetryBudget(lambda: context.get_remaining_time_in_millis() / 1000))
    except Exception:
        logger.exception("authorizer failed")
        raise AuthorizerError("The authorizer could not decide.") from None
    match decision:
        case Grant():
            return authorizer.allow(decision, event["methodArn"])
        case WrongBusiness(token_id):
            logger.info("forbidden", extra={"token_id": token_id})
            return authorizer.deny(token_id, event["methodArn"])
        case Unauthenticated(why):
            logger.info("unauthorized", extra={"why": why})
            # `sam local` turns this exception into a 502, so there a bad token is told with 403.
            if SAM_LOCAL:
                return authorizer.deny(authorizer.ANONYMOUS, event["methodArn"])
            raise AuthorizerError("Unauthorized")


def _decide(event: authorizer.AuthorizerEvent, budget: RetryBudget) -> Grant | WrongBusiness | Unauthenticated:
    authorization, business_id = header(event, "authorization"), header(event, "x-business-id")
    if not authorization or not business_id:
        return Unauthenticated("missing")
    token = authorizer.bearer_token(authorization)
    if not well_formed(token):
        return Unauthenticated("malformed")
    digest = digest_of(token)
    known = budget.retry(lambda: access.find(token_id_of(digest)))
    return authorize(known, digest, parse_uuid(business_id), datetime.now(UTC))
