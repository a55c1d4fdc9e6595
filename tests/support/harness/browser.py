"""A real browser: Chromium without a window, told what to do over the two pipes of its own protocol.

https://chromedevtools.github.io/devtools-protocol: messages are JSON, each ends with a zero byte. No driver is needed.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOT_INSTALLED: Final = "Chromium is not installed: `tools/ci-extras.sh` installs it on Debian"

# Pages of tests come from this machine only, so a sandbox, which root can't have, protects from nothing.
_OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "about:blank",
)
_ITS_INPUT, _ITS_OUTPUT = 3, 4
_ABOVE_THOSE: Final = 10
_CHUNK_BYTES: Final = 1 << 20
_TIMEOUT_S: Final = 120.0


class Browser:
    """One browser with one page; a context manager."""

    def __enter__(self) -> Self:
        assert CHROMIUM is not None
        self._profile = tempfile.mkdtemp(prefix="browser-")
        its_input, self._send = _pipe()
        self._receive, its_output = _pipe()
        into_place = f'exec "$0" "$@" {_ITS_INPUT}<&{its_input} {_ITS_OUTPUT}>&{its_output}'
        self._process = subprocess.Popen(  # noqa: S603  the browser of this machine
            ["/bin/bash", "-c", into_place, CHROMIUM, f"--user-data-dir={self._profile}", *_OPTIONS],
            pass_fds=(its_input, its_output),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(its_input)
        os.close(its_output)
        self._read = b""
        self._number = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(_TIMEOUT_S)
        os.close(self._send)
        os.close(self._receive)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol, and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {} if self._session is None else {"sessionId": self._session}
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._message()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            chunk = os.read(self._receive, _CHUNK_BYTES)
            assert chunk, "the browser has ended"
            self._read += chunk
        first, _, self._read = self._read.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        return message

    def resize(self, width: int, height: int = 900) -> None:
        """Show the page in a window of this size, in pixels of CSS; scroll bars lie over the page, as on a phone."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url: str, *, until: str = "document.readyState === 'complete'") -> None:
        """Open an address, and wait until an expression holds there."""
        self.evaluate("window.old = true")
        opened = self.call("Page.navigate", url=url)
        # Only another place on the same page comes without a loader.
        self.wait_for(f"window.old === undefined && ({until})" if "loaderId" in opened else until)

    def reload(self) -> None:
        """Load the page anew, and wait until the old one is gone."""
        self.evaluate("window.old = true")
        self.call("Page.reload")
        self.wait_for("window.old === undefined && document.readyState === 'complete'")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression holds."""
        deadline = time.monotonic() + _TIMEOUT_S
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"{expression} does not hold"
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, of a promise what it settles to."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Save what the window shows, or the whole page, as PNG."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))


def _pipe() -> tuple[int, int]:
    """A pipe whose ends do not have the numbers that the browser reads and writes."""
    ends = os.pipe()
    reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE_THOSE) for end in ends)
    for end in ends:
        os.close(end)
    return reading, writing
