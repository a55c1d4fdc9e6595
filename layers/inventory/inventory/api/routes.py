"""Every route of the API: its method, path, function and scope. Standard library only: the authorizer reads it too.

The template names the same routes once more, as events of the functions; a test compares the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from inventory.domain.api_tokens import Scope


class Route(NamedTuple):
    """One method of one path.

    ``path`` holds the names of its parameters, as in the gateway's ``resource``. ``function`` is the folder of the
    function that serves it. ``scope`` is the scope that a token needs, None where the route is open to everybody.

    A GET is served for HEAD too. The template has a preflight's OPTIONS for every path beside these.
    """

    method: str
    path: str
    function: str
    scope: Scope | None

    @property
    def methods(self) -> tuple[str, ...]:
        """All methods that are served: HEAD wherever GET is."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


CREATE_ADJUSTMENT: Final = Route("POST", "/api/v1/inventory/adjustments", "create_adjustment", "adjustments:write")
LIST_ADJUSTMENTS: Final = Route("GET", "/api/v1/inventory/adjustments", "read_inventory", "adjustments:read")
GET_ADJUSTMENT: Final = Route("GET", "/api/v1/inventory/adjustments/{id}", "read_inventory", "adjustments:read")

REVERSE_ADJUSTMENT: Final = Route(
    "POST", "/api/v1/inventory/adjustments/{id}/reversal", "reverse_adjustment", "adjustments:reverse"
)

CREATE_BATCH: Final = Route("POST", "/api/v1/inventory/adjustments/batch", "create_adjustment", "adjustments:write")

GET_GROUP: Final = Route("GET", "/api/v1/inventory/adjustments/groups/{group_id}", "read_inventory", "adjustments:read")

REVERSE_GROUP: Final = Route(
    "POST", "/api/v1/inventory/adjustments/groups/{group_id}/reversal", "reverse_adjustment", "adjustments:reverse"
)

RECORD_COUNT: Final = Route("POST", "/api/v1/inventory/counts", "create_adjustment", "adjustments:write")
TRANSFER: Final = Route("POST", "/api/v1/inventory/transfers", "create_adjustment", "adjustments:write")

LIST_LEVELS: Final = Route("GET", "/api/v1/inventory/levels", "read_inventory", "adjustments:read")

PROVE_LEVEL: Final = Route(
    "GET", "/api/v1/inventory/levels/{variant_id}/{location_id}/proof", "read_inventory", "adjustments:read"
)

LIST_VARIANTS: Final = Route("GET", "/api/v1/inventory/variants", "read_inventory", "adjustments:read")
LIST_LOCATIONS: Final = Route("GET", "/api/v1/inventory/locations", "read_inventory", "adjustments:read")
LIST_REASONS: Final = Route("GET", "/api/v1/inventory/reasons", "read_inventory", "adjustments:read")

REPORT_REASONS: Final = Route(
    "GET", "/api/v1/inventory/reports/adjustment-reasons", "read_inventory", "adjustments:read"
)

API_DESCRIPTION: Final = Route("GET", "/api/v1/openapi.json", "describe_api", None)
DOCS_PAGE: Final = Route("GET", "/api/v1/docs", "describe_api", None)
DOCS_ASSET: Final = Route("GET", "/api/v1/docs/{asset}", "describe_api", None)
APP_PAGE: Final = Route("GET", "/api/v1/app", "describe_api", None)
APP_ASSET: Final = Route("GET", "/api/v1/app/{asset}", "describe_api", None)

ROUTES: Final = (
    CREATE_ADJUSTMENT,
    LIST_ADJUSTMENTS,
    GET_ADJUSTMENT,
    REVERSE_ADJUSTMENT,
    CREATE_BATCH,
    GET_GROUP,
    REVERSE_GROUP,
    RECORD_COUNT,
    TRANSFER,
    LIST_LEVELS,
    PROVE_LEVEL,
    LIST_VARIANTS,
    LIST_LOCATIONS,
    LIST_REASONS,
    REPORT_REASONS,
    API_DESCRIPTION,
    DOCS_PAGE,
    DOCS_ASSET,
    APP_PAGE,
    APP_ASSET,
)


def is_open(path: str) -> bool:
    """Whether everybody may read what is at this path of the table."""
    return any(route.path == path and route.scope is None for route in ROUTES)
