"""The command behind `make verify-deployed`: whether a deployed service keeps its word, by nothing but HTTP.

It may run as often as one likes: each run has keys of its own, and takes back what it created.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx

from local.api import ADJUSTMENTS, LEVELS, TIMEOUT_S, Api
from local.checks import AT_THE_END, CHECKS, Failed, NotRun, Visit
from local.command import Parser, run
from local.errors import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.api import Answer

FAILED = 1
NOT_BEGUN = 2


def _uuid(name: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name}= must be an id, not {text!r}") from None


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("URL= is the output ApiUrl: https://….execute-api.….amazonaws.com/<stage>")
    return text.rstrip("/").removesuffix(ADJUSTMENTS).rstrip("/")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments. Tokens come from the environment: anybody on the machine can read a command line."""
    parser = Parser(prog="python -m local.verify", description=__doc__)
    parser.add_argument("--url", type=_url)
    parser.add_argument("--business", type=partial(_uuid, "BUSINESS"))
    parser.add_argument("--variant", type=partial(_uuid, "VARIANT"))
    parser.add_argument("--location", type=partial(_uuid, "LOCATION"))
    wanted = parser.parse(arguments)
    wanted.token, wanted.read_token = (os.environ.get(name, "") for name in ("TOKEN", "READ_TOKEN"))
    missing = [name for name in ("url", "token", "business", "variant") if not getattr(wanted, name)]
    if missing:
        raise LocalStackError(
            f"{', '.join(f'{name.upper()}=' for name in missing)} missing: "
            "make verify-deployed URL=… TOKEN=… BUSINESS=… VARIANT=… [LOCATION=…] [READ_TOKEN=…]"
        )
    return wanted


def require_access(visit: Visit) -> None:
    """See that there is anything to verify, by requests that can't write.

    Raises:
        LocalStackError: the address, the token, the business or the variant is not good; the text says which.
    """
    _explain(visit.api.get(LEVELS, variant_id=visit.variant_id), 200, "adjustments:read")
    _explain(visit.api.post(ADJUSTMENTS, {}), 422, "adjustments:write")
    _explain(visit.api.post(f"{ADJUSTMENTS}/{uuid4()}/reversal", {}), 422, "adjustments:reverse")


def _explain(answer: Answer, expected: int, scope: str) -> None:
    match answer.status, answer.code:
        case status, _ if status == expected:
            return
        case _, "unauthorized":
            raise LocalStackError("TOKEN= is not a good token there: mistyped, unknown, expired or revoked")
        case _, "forbidden":
            raise LocalStackError(f"TOKEN= is not for that BUSINESS=, or does not have the scope {scope}")
        case _, "variant_not_found":
            raise LocalStackError("VARIANT= is no active variant of that BUSINESS=")
        case _, "try_again" | "too_many_requests":
            raise LocalStackError(f"the service is busy: {answer}")
        case _:
            raise LocalStackError(f"there is no such API under URL=, or it is not well: it answered {answer}")


def verify(visit: Visit) -> int:
    """Carry out every check and tell each on one line; return how many failed."""
    tally = {"ok": 0, "FAILED": 0, "not run": 0}
    try:
        for check in CHECKS:
            tally[_told(check, visit)] += 1
    finally:
        for check in AT_THE_END:
            tally[_told(check, visit)] += 1
    print(f"\n{tally['ok']} ok, {tally['FAILED']} failed, {tally['not run']} not run")
    return tally["FAILED"]


def _told(check: Callable[[Visit], None], visit: Visit) -> str:
    verdict, because = "ok", ""
    try:
        check(visit)
    except Failed as error:
        verdict, because = "FAILED", f": {error}"
    except NotRun as error:
        verdict, because = "not run", f": {error}"
    except httpx.HTTPError as error:
        verdict, because = "FAILED", f": no answer ({type(error).__name__})"
    except (LookupError, TypeError, ValueError) as error:
        verdict, because = "FAILED", f": the answer has not the form that it should have ({error!r})"
    print(f"{verdict:8} {(check.__doc__ or '').rstrip('.')}{because}", flush=True)
    return verdict


def _carry_out(arguments: Sequence[str] | None) -> int:
    wanted = _parse(arguments)
    with httpx.Client(timeout=TIMEOUT_S) as http:
        api_of = partial(Api.of, wanted.url, http, business_id=wanted.business)
        visit = Visit(
            api_of(token=wanted.token),
            wanted.business,
            wanted.variant,
            wanted.location,
            api_of(token=wanted.read_token) if wanted.read_token else None,
        )
        try:
            require_access(visit)
        except httpx.HTTPError as error:
            raise LocalStackError(f"{wanted.url} can't be reached: {error or type(error).__name__}") from None
        print(f"{wanted.url}, run {visit.run}\n", flush=True)
        return FAILED if verify(visit) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    return run(partial(_carry_out, arguments), failed=NOT_BEGUN, interrupted_means="what it had created is taken back.")


if __name__ == "__main__":
    sys.exit(main())
