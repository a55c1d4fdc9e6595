"""The subcommand `verify`: whether a deployed service answers as it should, checked by nothing but HTTP.

It may run as often as you like: each run has keys of its own, and reverses what it created.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import click
import httpx

from ops.checks import AT_THE_END, CHECKS, Failed, NotRun, Visit
from ops.command import Command
from ops.errors import CommandError
from ops.http_api import ADJUSTMENTS, LEVELS, TIMEOUT_S, Api

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.http_api import Answer

FAILED = 1
NOT_BEGUN = 2


def require_access(visit: Visit) -> None:
    """Check address, token, business and variant by requests that can't write.

    Raises:
        CommandError: one of them is wrong; the text says which.
    """
    _explain(visit.api.get(LEVELS, variant_id=visit.variant_id), 200, "adjustments:read")
    _explain(visit.api.post(ADJUSTMENTS, {}), 422, "adjustments:write")
    _explain(visit.api.post(f"{ADJUSTMENTS}/{uuid4()}/reversal", {}), 422, "adjustments:reverse")


def _explain(answer: Answer, expected: int, scope: str) -> None:
    match answer.status, answer.code:
        case status, _ if status == expected:
            return
        case _, "unauthorized":
            raise CommandError("TOKEN= is not a good token there: mistyped, unknown, expired or revoked")
        case _, "forbidden":
            raise CommandError(f"TOKEN= is not for that BUSINESS=, or does not have the scope {scope}")
        case _, "variant_not_found":
            raise CommandError("VARIANT= is no active variant of that BUSINESS=")
        case _, "try_again" | "too_many_requests":
            raise CommandError(f"the service is busy: {answer}")
        case _:
            raise CommandError(f"there is no such API under URL=, or it is not well: it answered {answer}")


def verify_all(visit: Visit) -> int:
    """Run every check and report each on one line; return how many failed."""
    tally = {"ok": 0, "FAILED": 0, "not run": 0}
    try:
        for check in CHECKS:
            tally[_report(check, visit)] += 1
    finally:
        for check in AT_THE_END:
            tally[_report(check, visit)] += 1
    click.echo(f"\n{tally['ok']} ok, {tally['FAILED']} failed, {tally['not run']} not run")
    return tally["FAILED"]


def _report(check: Callable[[Visit], None], visit: Visit) -> str:
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
    click.echo(f"{verdict:8} {(check.__doc__ or '').rstrip('.')}{because}")
    return verdict


def given_id(_context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Return an id in its canonical spelling."""
    try:
        return text and str(UUID(text))
    except ValueError:
        raise click.BadParameter(f"{str(option.name).upper()}= must be an id, not {text!r}") from None


def api_address(_context: click.Context | None, _option: click.Parameter | None, text: str | None) -> str | None:
    """Return the address of the API without the path, which may have been pasted with it."""
    if text and not text.startswith(("http://", "https://")):
        raise click.BadParameter("URL= is the output ApiUrl: https://….execute-api.….amazonaws.com/<stage>")
    return text and text.rstrip("/").removesuffix(ADJUSTMENTS).rstrip("/")


def _require_given(**given: str | None) -> None:
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise CommandError(
            f"{', '.join(f'{name}=' for name in missing)} missing: "
            "make verify-deployed URL=… TOKEN=… BUSINESS=… VARIANT=… [LOCATION=…] [READ_TOKEN=…]"
        )


@click.command(cls=Command, failed=NOT_BEGUN, interrupted_means="what it had created is reversed.")
@click.option("--url", metavar="ADDRESS", callback=api_address, help="The stack's output ApiUrl.")
@click.option("--business", metavar="ID", callback=given_id, help="A business of the token's.")
@click.option("--variant", metavar="ID", callback=given_id, help="A variant of the business, whose stock is adjusted.")
@click.option(
    "--location", metavar="ID", callback=given_id, help="A location [default: the default one of the business]."
)
def verify(url: str, business: str, variant: str, location: str | None) -> int:
    """Check by HTTP alone that a deployed API answers as it should.

    It adjusts the stock of one variant, and reverses what it created.

    The token comes from the variable TOKEN, and one that may only read from READ_TOKEN: everybody on a machine can see
    the arguments of a command. The exit status is 0 where all is well, 1 where a check failed, and 2 where it could not
    begin.
    """
    token, read_token = (os.environ.get(name, "") for name in ("TOKEN", "READ_TOKEN"))
    _require_given(URL=url, TOKEN=token, BUSINESS=business, VARIANT=variant)
    with httpx.Client(timeout=TIMEOUT_S) as http:
        api_of = partial(Api.of, url, http, business_id=business)
        read_only = api_of(token=read_token) if read_token else None
        visit = Visit(api_of(token=token), business, variant, location, read_only)
        try:
            require_access(visit)
        except httpx.HTTPError as error:
            raise CommandError(f"{url} can't be reached: {error or type(error).__name__}") from None
        click.echo(f"{url}, run {visit.run}\n")
        return FAILED if verify_all(visit) else 0
