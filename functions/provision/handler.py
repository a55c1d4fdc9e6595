"""Operators' commands, by direct invocation only: IAM decides who may invoke."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from inventory.entrypoints.cold_start import start_finished

from inventory.aws.clients import dynamodb_client
from inventory.domain.errors import InternalError, ServiceError, StoreUnavailable, TryAgain
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.deadline import remaining_s
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.provisioning import CommandAnswer, logged, provision_on_dynamodb
from inventory.entrypoints.responses import raised
from inventory.schemas.provisioning import provision_request

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = line_logger()
client = dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None)
provision = provision_on_dynamodb(
    client,
    inventory_table=os.environ["INVENTORY_TABLE"],
    access_table=os.environ["ACCESS_TABLE"],
)
start_finished()


@logger.inject_lambda_context(clear_state=True, log_event=False)
def handler(event: object, context: LambdaContext) -> CommandAnswer:
    """Carry out one command, or raise an error that the invoker may see."""
    try:
        return _perform(event, RetryBudget(remaining_s(context)))
    except ServiceError as error:
        logger.info("command refused", extra={"error": type(error).__name__})
        raise raised(error) from None
    except StoreUnavailable:
        logger.warning("command not settled in time", exc_info=True)
        raise raised(TryAgain()) from None
    except Exception:
        logger.exception("command failed")
        raise raised(InternalError()) from None


def _perform(event: object, budget: RetryBudget) -> CommandAnswer:
    request = provision_request(event)
    logger.append_keys(command=request.command)
    answer = provision.perform(request, budget)
    logger.info("command done", extra=logged(answer))
    return answer
