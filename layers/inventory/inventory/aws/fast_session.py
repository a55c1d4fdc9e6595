"""boto3, made to start quickly: a quarter of what a client's first moments cost is not needed here.

The SDK looks into the folders of all its four hundred services to find out which there are, and reads a table of all
their endpoints (1.3 MB) and a description of every operation of a service. Its loader takes what it finds in the first
of its folders (as with ``AWS_DATA_PATH``), so ``sdk_models/`` stands before the SDK's own: there lie the endpoints of
the services, and the descriptions of the operations, that are called here. All else is found in the SDK as ever, other
services too.

``make sdk-models`` writes them, from the SDK that is locked. They stay right under a newer one, as an operation never
changes for those who call it; a newer version of a whole API is taken from the SDK, and a Region that is not in the
table goes by the rules of its partition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import boto3
from botocore.loaders import Loader
from botocore.session import get_session

MODELS: Final = Path(__file__).parent / "sdk_models"

OPERATIONS: Final = {
    "dynamodb": (
        "BatchGetItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    ),
    "events": ("PutEvents",),
    "sqs": ("SendMessage",),
}
"""All that the service calls, by service."""

USER_AGENT: Final = f"Boto3/{boto3.__version__} inventory-adjustments"
"""Who calls. One that the SDK puts together is put together anew for each call, a fifth of the call's work."""


class _FastLoader(Loader):
    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002  the SDK's own signature
        """Every folder's name, without a look into it: one that lacks what is wanted of it is told apart later."""
        folders = [folder for path in self.search_paths if (folder := Path(path)).is_dir()]
        return sorted({each.name for folder in folders for each in folder.iterdir()})


type FastSession = boto3.Session


def fast_session() -> FastSession:
    """Make a session whose clients start quickly."""
    core = get_session()
    core.register_component("data_loader", _FastLoader(extra_search_paths=[str(MODELS)]))
    return boto3.Session(botocore_session=core)
