"""Which root certificates a client trusts: Amazon's five, and all that the SDK trusts where a server needs another.

The SDK opens its file of root certificates at every new connection. Reading its own 150 costs a fifth of a start, each
time; reading five costs a hundredth. AWS's services in its standard partition show certificates of Amazon Trust
Services, whose roots the five are. A server whose certificate no root of the five stands for may be right all the same
(a proxy, a new root): it is tried again at once with all roots, once for each client, and that is logged and counted.
"""

from __future__ import annotations

from pathlib import Path
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any, Final

import botocore
from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from collections.abc import Iterator

AMAZON: Final = Path(__file__).parent / "sdk_models" / "amazon-roots.pem"
"""``make sdk-models`` cuts them out of the SDK's file."""

ALL: Final = Path(botocore.__file__).parent / "cacert.pem"

FELL_BACK: Final = "AmazonRootsInsufficient"
"""The metric of a client that found a server which Amazon's roots do not stand for."""

_PARTITION: Final = "aws"


class Roots:
    """A file of root certificates, as a path that the SDK reads anew for each connection."""

    def __init__(self) -> None:
        self.file = ALL

    def __fspath__(self) -> str:
        """Name the file for the next connection."""
        return str(self.file)

    def be_amazons_for(self, client: Any) -> None:
        """Trust Amazon's roots alone, where the client calls AWS's standard partition."""
        if client.meta.partition != _PARTITION:
            return
        self.file = AMAZON
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_first(f"needs-retry.{service}", self._fall_back)

    def _fall_back(self, caught_exception: Exception | None, **_: object) -> int | None:
        """Trust all roots from now on; the seconds until the SDK tries again, None where it shall not.

        Nothing was sent: the handshake failed.
        """
        if self.file == ALL or not _is_unverified(caught_exception):
            return None
        self.file = ALL
        _report()
        return 0


def _is_unverified(error: BaseException | None) -> bool:
    return any(isinstance(each, SSLCertVerificationError) for each in _with_causes(error))


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _report() -> None:
    """Log and count; in a line of its own, as not every function collects metrics."""
    Logger().warning("a server's certificate is not from Amazon's roots", extra={"code": "amazon_roots_insufficient"})
    with single_metric(name=FELL_BACK, unit=MetricUnit.Count, value=1):
        pass
