"""Starting and stopping an emulator of AWS on a port of 127.0.0.1, and knowing whether one runs."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Self

from local.emulator_process import ALREADY_RUNNING
from local.places import EMULATOR_PYTHON, Places
from ops.aws import EmulatedAws
from ops.errors import CommandError
from ops.local_stack import HOST, Running, find_running
from ops.project import PROJECT_ROOT

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
_LOG_LIMIT_BYTES = 20_000_000


def calls_in_flight() -> int:
    """Return how many calls of functions this machine can serve at a time, each by an interpreter of its own.

    Two per processor keep every processor busy while a call waits for its tables.
    """
    return max(4, 2 * (os.cpu_count() or 1))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def check_port(port: int, setting: str) -> None:
    """Do nothing where `port` can be listened on; `setting` is the name of the variable that chooses another.

    Raises:
        CommandError: something else listens there.

    """
    with socket.socket() as probe:
        # As servers do: the connections of a run that just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(
                f"port {port} is taken by another program: stop that one, or choose a port with {setting}=…"
            ) from error


def stop_running(places: Places) -> Running | None:
    """Stop the emulator of `places` with its state saved; return what was stopped, or None.

    Raises:
        CommandError: it did not end within STOP_TIMEOUT_S and was killed, so its latest data is lost.

    """
    running = find_running(places)
    if running is None:
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while find_running(places) == running:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL)
            raise CommandError(
                f"the emulator (process {running.pid}) did not stop within {STOP_TIMEOUT_S:.0f} s and was killed; "
                "what changed since its start is lost"
            )
        time.sleep(0.05)
    shutil.rmtree(places.temporary_dir, ignore_errors=True)
    return running


class Emulator:
    """An emulator of AWS with nothing in it, or with what its last run saved.

    It answers on 127.0.0.1 only. Unless it is `detached` it ends with the process that started it, however that ends.
    With `keep_state=False` it starts empty and saves nothing.
    """

    def __init__(self, port: int, places: Places, *, keep_state: bool = True, detached: bool = False) -> None:
        self.port = port
        self.places = places
        self._keep_state = keep_state
        self._detached = detached
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    @property
    def endpoint_url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def aws(self) -> EmulatedAws:
        """Clients for it."""
        return EmulatedAws(self.endpoint_url)

    def is_alive(self) -> bool:
        """Return whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and return when it answers.

        Raises:
            CommandError: one runs here already, the port is taken, or it ended or hung while starting.

        """
        if (running := find_running(self.places)) is not None:
            raise self._already_running(running)
        if not EMULATOR_PYTHON.exists():
            raise CommandError("the emulator is not installed: run `make run`, which installs it first")
        check_port(self.port, "PORT")
        self._prepare_files()
        with self.places.emulator_log.open("ab") as log_file:
            self._process = subprocess.Popen(  # noqa: S603 — our own interpreter and arguments
                self._command(),
                cwd=PROJECT_ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL if self._detached else subprocess.PIPE,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must not reach it: we stop it when we are done
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.abandon()
            raise

    def stop(self) -> None:
        """Stop it with its state saved; does nothing when it is not running.

        Raises:
            CommandError: it did not end within STOP_TIMEOUT_S and was killed.

        """
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise CommandError(
                f"the emulator did not stop within {STOP_TIMEOUT_S:.0f} s and was killed; its latest data is lost"
            ) from None
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End it at once; what it saved when it was last stopped stays as it is."""
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._process = None
        shutil.rmtree(self.places.temporary_dir, ignore_errors=True)

    def _prepare_files(self) -> None:
        places = self.places
        shutil.rmtree(places.temporary_dir, ignore_errors=True)  # left behind by a run that was killed
        for directory in (places.temporary_dir, places.state_dir, places.objects_dir):
            directory.mkdir(parents=True, exist_ok=True)
        for log in (places.emulator_log, places.functions_log, places.sam_log):
            if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
                log.replace(log.with_suffix(".log.1"))
            log.touch(mode=0o600)  # it may hold what people sent by mistake

    def _command(self) -> list[str]:
        return [
            *(str(EMULATOR_PYTHON), "-m", "local.emulator_process"),
            *("--pid-file", str(self.places.pid_file), "--functions-log", str(self.places.functions_log)),
            *("--in-flight", str(calls_in_flight()), *([] if self._detached else ["--lifeline"])),
        ]

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None  # noqa: S101
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            status = self._process.poll()
            if status == ALREADY_RUNNING and (running := find_running(self.places)) is not None:
                raise self._already_running(running)
            if status is not None:
                raise CommandError(f"the emulator ended while starting (status {status}):\n{self._last_log_lines()}")
            if _answers(f"{self.endpoint_url}/_ministack/health"):
                return
            time.sleep(0.05)
        raise CommandError(f"the emulator did not answer in {START_TIMEOUT_S:.0f} s:\n{self._last_log_lines()}")

    def _already_running(self, running: Running) -> CommandError:
        stop, logs = self.places.make("stop"), self.places.make("logs")
        return CommandError(
            f"already running on port {running.port} (process {running.pid}): `{stop}` stops it, `{logs}` shows its log"
        )

    def _last_log_lines(self) -> str:
        lines = self.places.emulator_log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def _environment(self) -> dict[str, str]:
        """Return the emulator's whole environment; functions inherit it, so nothing of the caller's is in it."""
        places = self.places
        return {
            "PATH": f"{EMULATOR_PYTHON.parent}{os.pathsep}{os.defpath}",
            "HOME": str(places.temporary_dir),
            "TMPDIR": str(places.temporary_dir),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONUNBUFFERED": "1",
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": "us-east-1",
            "PERSIST_STATE": "1" if self._keep_state else "0",
            "STATE_DIR": str(places.state_dir),
            "S3_PERSIST": "1" if self._keep_state else "0",
            "S3_DATA_DIR": str(places.objects_dir),
            "LOG_LEVEL": "INFO",
            # Functions run as processes here; a Docker engine that happens to be there is not to be looked at.
            "DOCKER_HOST": f"unix://{places.temporary_dir}/no-docker.sock",
            # Listeners of services that are not used, on ports that a second stack could not share.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # A warm function stays warm while somebody thinks.
            "LAMBDA_WARM_TTL_SECONDS": "3600",
            "LAMBDA_ACCOUNT_CONCURRENCY": "1000",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


@contextlib.contextmanager
def bare_emulator(places: Places) -> Iterator[Emulator]:
    """Run an empty emulator on a free port that saves nothing, for tests that need tables only."""
    with Emulator(free_port(), places, keep_state=False) as emulator:
        yield emulator
