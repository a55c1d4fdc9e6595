"""The local stack, as far as one has to know it to find it: the files that `make run` leaves while it runs."""

from __future__ import annotations

import fcntl
import os
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ops.project import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
STACK_NAME = "inventory-adjustments"
_DEFAULT_DIR = ".local"


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The files of one local stack, all under `local_dir`; stacks with different directories share nothing."""

    local_dir: Path

    @classmethod
    def from_environment(cls) -> Self:
        """Return the files under LOCAL_DIR, which is `.local` in the project's folder unless it is set."""
        return cls((PROJECT_ROOT / (os.environ.get("LOCAL_DIR") or _DEFAULT_DIR)).resolve())

    def make(self, target: str) -> str:
        """Return the command that runs a make target for this stack, as somebody types it in the project's folder."""
        if self.local_dir == PROJECT_ROOT / _DEFAULT_DIR:
            return f"make {target}"
        return f"make {target} LOCAL_DIR={shlex.quote(str(self.local_dir))}"

    @property
    def demo_json(self) -> Path:
        """What a caller needs to know: addresses, outputs, businesses and tokens; it exists once the stack is ready."""
        return self.local_dir / "demo.json"

    @property
    def pid_file(self) -> Path:
        """The emulator locks it for as long as it runs, so a process id in it is never out of date."""
        return self.local_dir / "emulator.pid"


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that runs."""

    pid: int
    port: int

    @property
    def endpoint_url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"


def find_running(files: LocalFiles) -> Running | None:
    """Return the emulator of these files, or None when none runs.

    The system releases the lock on the pid file however the emulator ends. So a number that a crash left behind is
    never taken for a process, and no other process is ever signalled by mistake.
    """
    try:
        pid_file = files.pid_file.open(encoding="ascii")
    except FileNotFoundError:
        return None
    with pid_file:
        try:
            fcntl.flock(pid_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            words = pid_file.read().split()
            while len(words) < 2:  # it holds the lock but has not written yet
                time.sleep(0.01)
                pid_file.seek(0)
                words = pid_file.read().split()
            return Running(pid=int(words[0]), port=int(words[1]))
        return None
