"""Authorizer of the REST API: which routes the bearer of a token may call, for which business."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from inventory.api import authorizer
from inventory.aws.clients import dynamodb_client
from inventory.domain.api_tokens import Grant, Unauthenticated, WrongBusiness
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.deadline import remaining_s
from inventory.entrypoints.log_lines import line_logger
from inventory.storage.tokens import TokenTable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from inventory.api.shapes import Policy

logger = line_logger()
client = dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None)
access = TokenTable(client, os.environ["ACCESS_TABLE"])
clock = partial(datetime.now, UTC)
SAM_LOCAL = os.environ.get("AWS_SAM_LOCAL") == "true"
start_finished()


class AuthorizerError(Exception):
    """The only exception of this function: its text can reach the caller."""


# An explicit False: POWERTOOLS_LOGGER_LOG_EVENT=true would log the token.
@logger.inject_lambda_context(clear_state=True, log_event=False)
def handler(event: object, context: LambdaContext) -> Policy:
    """Answer a policy. Raise "Unauthorized" for the gateway's 401, anything else for its 503; it caches neither."""
    if not authorizer.is_authorizer_event(event):
        logger.info("unauthorized", extra={"why": "not from the gateway"})
        raise AuthorizerError("Unauthorized")
    try:
        decision = authorizer.decide(event, access, RetryBudget(remaining_s(context)), clock)
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
            # `sam local` turns this exception into a 502, so there a bad token is answered with 403.
            if SAM_LOCAL:
                return authorizer.deny(authorizer.ANONYMOUS, event["methodArn"])
            raise AuthorizerError("Unauthorized")
