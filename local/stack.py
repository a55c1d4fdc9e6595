"""The command line behind `make run`, `env`, `stop`, `logs`, `reset`, `sam-local` and `sam-invoke`."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from local.demo import (
    Demo,
    curl_command,
    docs_page,
    provision_demo,
    read_demo,
    shell_variables,
    stock_page,
    withdraw_demo,
)
from local.deployment import deploy
from local.emulator import Emulator, check_port, stop_running
from local.log_lines import GrowingLog, short_line
from local.places import Places
from local.progress import step
from local.sam_local import invoke, require_docker, start_api
from ops.errors import CommandError
from ops.local_stack import HOST, find_running
from ops.project import PROJECT_ROOT

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def running_stack(
    port: int, places: Places, *, keep_state: bool = True, detached: bool = False, allowed_origin: str = ""
) -> Iterator[tuple[Emulator, Demo]]:
    """Bring up the emulator, the stack and the demo data; at the end stop the emulator, with its state saved.

    `allowed_origin` is the one origin whose pages may call the API. With `keep_state=False` it starts empty and saves
    nothing; what was built is reused either way. A detached one is left running, unless bringing it up failed.

    Raises:
        CommandError: it runs already, the port is taken, a tool failed or the service refused the demo data.

    """
    emulator = Emulator(port, places, keep_state=keep_state, detached=detached)
    with step("Starting the emulator"):
        emulator.start()
    try:
        withdraw_demo(places)
        deployment = deploy(places, emulator.endpoint_url, allowed_origin)
        with step("Preparing demo data"):
            demo = provision_demo(places, deployment)
    except BaseException:
        # Half a deployment is not worth saving: the next start goes on from what the last good run saved.
        emulator.abandon()
        raise
    try:
        yield emulator, demo
    finally:
        if not detached:
            emulator.stop()


def run(places: Places, port: int, *, detached: bool, raw: bool, allowed_origin: str) -> None:
    """Bring the stack up and stay with it, showing what its functions log, until Ctrl-C; or return if detached."""
    started = time.monotonic()
    with running_stack(port, places, detached=detached, allowed_origin=allowed_origin) as (emulator, demo):
        demo_json = os.path.relpath(places.demo_json)
        print(f"\nReady after {time.monotonic() - started:.1f} s. Tokens, ids and addresses are in {demo_json}. Try:\n")
        print(curl_command(demo, demo["base_url"]))
        print(f"\nThe API to read and try in a browser: {docs_page(demo)}")
        print(f"The page for stock controllers, for the same token and business: {stock_page(demo)}")
        if detached:
            logs_command, stop_command = places.make("logs"), places.make("stop")
            print(f"\n`{logs_command}` follows the functions' logs, `{stop_command}` stops it and keeps the data.")
            return
        print("\nEach request leaves a line here (RAW=1 shows all). Ctrl-C stops it and keeps the data.\n", flush=True)
        try:
            _follow(places, emulator.is_alive, raw=raw, last_lines=0)
        except KeyboardInterrupt:
            print()
        _ignore_interrupts()
        if emulator.is_alive():
            with step("Saving the data and stopping"):
                emulator.stop()
        else:
            print("The emulator was stopped.")


def stop(places: Places) -> None:
    """Stop the stack of these places."""
    stopped = stop_running(places)
    print("Nothing is running." if stopped is None else f"Stopped the stack on port {stopped.port}; its data is kept.")


def env(places: Places) -> None:
    """Print what a caller of the running stack needs, for a shell to evaluate."""
    if find_running(places) is None or not places.demo_json.exists():
        raise CommandError(f"no local stack is running: `{places.make('run')}` starts one")
    print(shell_variables(read_demo(places)))


def reset(places: Places) -> None:
    """Forget everything that the stack of these places has saved, so that the next start begins with nothing."""
    if (running := find_running(places)) is not None:
        raise CommandError(f"it is running on port {running.port}: `{places.make('stop')}` first")
    for kept in (places.state_dir, places.objects_dir):
        shutil.rmtree(kept, ignore_errors=True)
    print(f"The local data is forgotten; `{places.make('run')}` begins anew.")


def logs(places: Places, *, raw: bool) -> None:
    """Follow what the functions log, beginning with the latest lines, until Ctrl-C or until the stack stops."""
    if not places.functions_log.exists():
        raise CommandError(f"there are no logs yet: `{places.make('run')}` starts the stack")
    if runs := find_running(places) is not None:
        emulator_log = os.path.relpath(places.emulator_log)
        print(f"RAW=1 shows whole lines; the emulator's own log is {emulator_log}; Ctrl-C ends this.\n", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        _follow(places, lambda: find_running(places) is not None, raw=raw, last_lines=50)
        print(f"\n{'The stack was stopped' if runs else 'Nothing is running'}: `{places.make('run')}` starts it.")


@contextlib.contextmanager
def _some_stack(places: Places, port: int) -> Iterator[str]:
    """Yield the address of the running stack, or of one that runs for as long as the block does."""
    if (running := find_running(places)) is not None and places.demo_json.exists():
        yield running.endpoint_url
        return
    with running_stack(port, places) as (emulator, _):
        yield emulator.endpoint_url
        _ignore_interrupts()


def sam_start_api(places: Places, port: int, sam_port: int, extra: str) -> int:
    """Serve the API under `sam local start-api`."""
    bridge = require_docker()
    check_port(sam_port, "SAM_PORT")
    with _some_stack(places, port) as endpoint_url:
        print(f"\nIn a few seconds the API is at http://{HOST}:{sam_port}; Ctrl-C ends it. Try:\n")
        print(curl_command(read_demo(places), f"http://{HOST}:{sam_port}"), end="\n\n", flush=True)
        return start_api(places, endpoint_url, bridge, sam_port, extra)


def sam_invoke(places: Places, port: int, function: str, event: str, extra: str) -> int:
    """Invoke one function under `sam local invoke`."""
    if not function or not Path(event).is_file():
        raise CommandError(
            "which function, with which event? For example "
            "make sam-invoke FUNCTION=ProvisionFunction EVENT=events/provision-register-business.json"
        )
    bridge = require_docker()
    with _some_stack(places, port) as endpoint_url:
        return invoke(places, endpoint_url, bridge, function, Path(event), extra)


def _follow(places: Places, is_alive: Callable[[], bool], *, raw: bool, last_lines: int) -> None:
    """Print the last lines of the functions' log, and each new one for as long as the stack is alive."""
    shown = (lambda line: line) if raw else short_line
    with places.functions_log.open(encoding="utf-8", errors="replace") as file:
        log = GrowingLog(file)
        before = [text for line in log.new_lines() if (text := shown(line)) is not None]
        print("".join(before[len(before) - min(last_lines, len(before)) :]), end="", flush=True)
        alive = True
        while alive:
            alive = is_alive()  # asked first, so that the last lines are read after it stopped
            for line in log.new_lines():
                print(shown(line) or "", end="", flush=True)
            if alive:
                time.sleep(0.2)


def _ignore_interrupts() -> None:
    """Ignore a further Ctrl-C, so that the data is saved. It takes a second, and never more than a minute."""
    for signal_number in _INTERRUPTS:
        signal.signal(signal_number, signal.SIG_IGN)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_parser = commands.add_parser("run", help="bring the stack up")
    run_parser.add_argument("--detach", action="store_true", help="return when it is ready")
    run_parser.add_argument("--allowed-origin", default="", help="the origin whose pages may call the API")
    commands.add_parser("env", help="print the demo's first business as shell variables")
    commands.add_parser("stop", help="stop it")
    commands.add_parser("reset", help="forget its data")
    logs_parser = commands.add_parser("logs", help="follow what its functions log")
    api_parser = commands.add_parser("sam-local", help="serve the API in Docker, on its tables")
    api_parser.add_argument("--sam-port", type=_port, default=3000)
    invoke_parser = commands.add_parser("sam-invoke", help="invoke one function in Docker, on its tables")
    invoke_parser.add_argument("--function", default="")
    invoke_parser.add_argument("--event", default="")
    for logging in (run_parser, logs_parser):
        logging.add_argument("--raw", action="store_true", help="whole log lines, not one short line for each request")
    for starting in (run_parser, api_parser, invoke_parser):
        starting.add_argument("--port", type=_port, default=4566)
    for dockerized in (api_parser, invoke_parser):
        dockerized.add_argument("--sam-args", default="", help="further arguments of `sam local`")
    return parser.parse_args(arguments)


def _carry_out(places: Places, wanted: argparse.Namespace) -> int:
    match wanted.command:
        case "run":
            run(
                places,
                wanted.port,
                detached=wanted.detach,
                raw=wanted.raw,
                allowed_origin=wanted.allowed_origin,
            )
        case "env":
            env(places)
        case "stop":
            stop(places)
        case "reset":
            reset(places)
        case "logs":
            logs(places, raw=wanted.raw)
        case "sam-local":
            return sam_start_api(places, wanted.port, wanted.sam_port, wanted.sam_args)
        case "sam-invoke":
            return sam_invoke(places, wanted.port, wanted.function, wanted.event, wanted.sam_args)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    wanted = _parse(arguments)
    os.chdir(PROJECT_ROOT)
    places = Places.from_environment()
    # A closed terminal and SIGTERM end it as Ctrl-C does: with the data saved. A job that a script starts in the
    # background, and all its children, would ignore Ctrl-C without this.
    for signal_number in _INTERRUPTS:
        signal.signal(signal_number, _interrupt)
    try:
        return _carry_out(places, wanted)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        print(
            f"The emulator's log is {os.path.relpath(places.emulator_log)}; "
            f"if what it kept from an earlier run is the reason, `{places.make('reset')}` forgets that.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; nothing is left running.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
