"""boto3, made to start quickly: half of what a client's start costs is not needed here.

The SDK's loader takes a file from the first of its folders that has it (as with ``AWS_DATA_PATH``). ``sdk_models/``
stands before the SDK's own folder. It holds the endpoints of the services that are called here, and the descriptions of
the operations that are called. The SDK's own files are a table of all endpoints (1.3 MB) and all operations of each
service. The SDK also looks into the folders of all its four hundred services to find out which there are. Other
services are found in the SDK as ever.

``make sdk-models`` writes the files, from the SDK that is locked. They stay right under a newer SDK, because AWS never
changes an operation for those who call it. A newer version of a whole API is taken from the SDK. A Region that is not
in the table follows the rules of its partition.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import boto3
from botocore import handlers
from botocore.exceptions import UnknownServiceError
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.loaders import Loader
from botocore.session import Session

from inventory.aws.amazon_roots import Roots

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

_DESCRIPTION: Final = "service-2"
"""The SDK's name for the file that describes a service's operations."""

_ENDPOINT_RULES: Final = "endpoint-rule-set-1"
_EVENTS_OF_EVERY_CALL: Final = {"before-parameter-build", "before-call", "request-created", "choose-signer"}

_SERVICES_OF_EVENTS: Final = {"dynamodb", "eventbridge", "events", "sqs", "sts", "sso", "sso-oidc", "signin", "*"}
"""As events name them: those of ``OPERATIONS``, and those that credentials may come from."""

_AMAZON_ROOTS: Final = "amazon_roots"
_REQUESTS_CA_BUNDLE: Final = "requests_ca_bundle"
_SETTINGS: Final = (_AMAZON_ROOTS, _REQUESTS_CA_BUNDLE)
"""Read as the SDK reads its own settings, from the variables of these names. It knows the second one elsewhere."""

_REGISTER_FIRST: Final = getattr(handlers, "REGISTER_FIRST", None)
_REGISTER_LAST: Final = getattr(handlers, "REGISTER_LAST", None)
_IDLE_HANDLERS: Final = {
    "_handle_request_validation_mode_member",
    "add_retry_headers",
    "generate_idempotent_uuid",
    "inject_api_version_header_if_needed",
}
"""Those for every call which change nothing in the calls that are made here, or say how often a call was tried."""

USER_AGENT: Final = f"Boto3/{boto3.__version__} inventory-adjustments"
"""Who calls. One that the SDK puts together is put together anew for each call, a fifth of the call's work."""


class _FastLoader(Loader):
    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Load what lies in ``sdk_models/`` without a look into the folders of all other services first.

        The services that are called here have no endpoint rules: see ``make_client``.
        """
        if service_name in OPERATIONS and type_name == _ENDPOINT_RULES:
            raise UnknownServiceError(service_name=service_name, known_service_names="those with endpoint rules")
        if service_name not in OPERATIONS or type_name != _DESCRIPTION:
            return super().load_service_model(service_name, type_name, api_version)
        version = api_version or self.determine_latest_version(service_name, type_name)
        return self.load_data(f"{service_name}/{version}/{type_name}")


def make_client(service_name: str, **options: Any) -> Any:
    """Make a client that starts quickly, finds its endpoint once, and trusts few root certificates where it may."""
    roots = Roots() if _trusts_amazons_roots() else None
    client = _client(service_name, verify=roots, **options)
    _remove_handlers_of_retries(client)
    if roots is not None:
        roots.be_amazons_for(client)
    return client


def _client(service_name: str, **options: Any) -> Any:
    """Make a client that finds its endpoint once, not by rules at every call.

    Where a service has no endpoint rules, the SDK takes the endpoint from its table when it makes the client. An SDK
    that no longer does so refuses to make the client; then a plain one is made, which is slower and does the same.
    """
    try:
        return fast_session().client(service_name, **options)  # type: ignore[call-overload]
    except UnknownServiceError:
        return boto3.Session().client(service_name, **options)  # type: ignore[call-overload]


def _remove_handlers_of_retries(client: Any) -> None:
    """Spare each call what only matters to a client that tries again: the clients here try once.

    That is the question whether to try again, and what a header says of how often it may. Where the SDK calls its
    handlers by other names they stay, and do no harm.
    """
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{service}", unique_id=f"retry-config-{service}")
    client.meta.events.unregister(f"request-created.{service}", unique_id=f"seed-max-attempts-{service}")


def _trusts_amazons_roots() -> bool:
    """Whether Amazon's root certificates are to be tried first, and nobody has named others."""
    setting = _core().get_config_variable
    return setting(_AMAZON_ROOTS) == "true" and not any(map(setting, ("ca_bundle", _REQUESTS_CA_BUNDLE)))


@cache
def fast_session() -> boto3.Session:
    """Make the one session of this process, whose clients start quickly."""
    return boto3.Session(botocore_session=_core())


@cache
def _core() -> Session:
    core = _session_with_few_handlers({name: (None, name.upper(), None, None) for name in _SETTINGS})
    core.register_component("data_loader", _FastLoader(extra_search_paths=[str(MODELS)]))
    return core


def _session_with_few_handlers(settings: dict[str, Any]) -> Session:
    """Make a session with the SDK's event handlers for the services that are called here.

    The SDK registers its handlers for all services, and copies all of them for each client. Where its list of them is
    not as expected, all are registered.
    """
    specs = getattr(handlers, "BUILTIN_HANDLERS", [])
    if not _is_as_expected(specs):
        return Session(settings)
    emitter = HierarchicalEmitter()
    events = EventAliaser(emitter)
    register = {None: events.register, _REGISTER_FIRST: events.register_first, _REGISTER_LAST: events.register_last}
    for name, handler, *position in specs:
        if _is_needed(name) and getattr(handler, "__name__", None) not in _IDLE_HANDLERS:
            register[position[0] if position else None](name, handler)
    return Session(settings, emitter, include_builtin_handlers=False)


def _is_as_expected(specs: list[Any]) -> bool:
    """Whether the SDK's list is one of handlers, with those of every call among them."""
    return all(map(_is_handler, specs)) and {spec[0] for spec in specs} >= _EVENTS_OF_EVERY_CALL


def _is_handler(spec: Any) -> bool:
    """Whether this is an event's name, a handler and perhaps its position."""
    match spec:
        case [str(), handler, *position]:
            return callable(handler) and position in ([], [_REGISTER_FIRST], [_REGISTER_LAST])
        case _:
            return False


def _is_needed(event_name: str) -> bool:
    """Whether an event is of a service that is called here, or of all: ``before-call.s3.PutObject`` is of S3 alone."""
    event, _, rest = event_name.partition(".")
    return event != "docs" and (not rest or rest.split(".")[0] in _SERVICES_OF_EVENTS)
