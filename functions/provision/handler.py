"""Operators' commands, by direct invocation only: IAM decides who may invoke."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4
from inventory.entrypoints.cold_start import start_finished

from inventory.aws.clients import dynamodb_client
from inventory.domain.api_tokens import mint
from inventory.domain.errors import InternalError, ServiceError, StoreUnavailable, TryAgain
from inventory.domain.retry_budget import RetryBudget
from inventory.entrypoints.deadline import remaining_s
from inventory.entrypoints.log_lines import line_logger
from inventory.entrypoints.provisioning import CommandAnswer, Provision, logged
from inventory.entrypoints.responses import raised
from inventory.queries.stock_items import StockItems
from inventory.schemas.provisioning import provision_request
from inventory.storage.catalog import Catalog
from inventory.storage.catalog_scan import CatalogScan
from inventory.storage.lookups import Lookups
from inventory.storage.stock_index import StockIndex
from inventory.storage.tokens import TokenTable

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = line_logger()
client = dynamodb_client(os.environ.get("DYNAMODB_ENDPOINT") or None)
inventory_table = os.environ["INVENTORY_TABLE"]
lookups = Lookups(client, inventory_table=inventory_table, ledger_table=os.environ["LEDGER_TABLE"])
provision = Provision(
    catalog=Catalog(client, inventory_table),
    lookups=lookups,
    scan=CatalogScan(client, inventory_table, os.environ["ACCESS_TABLE"]),
    stock_items=StockItems(lookups, StockIndex(client, inventory_table)),
    access=TokenTable(client, os.environ["ACCESS_TABLE"]),
    clock=partial(datetime.now, UTC),
    new_id=uuid4,
    new_token=mint,
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
