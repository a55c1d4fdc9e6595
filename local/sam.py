"""The SAM command line, run so that it can only reach the emulator."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from local.places import SAM_PYTHON
from ops.aws import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

if TYPE_CHECKING:
    from local.places import Places


def tool_environment(places: Places, endpoint_url: str) -> dict[str, str]:
    """Return the environment in which `sam` runs: the caller's, without any of its AWS settings.

    The rest of the caller's environment stays, as a proxy or a package mirror may be needed to build the layers.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_CLI_", "PYTHON"))
    }
    loopback = ",".join(filter(None, [environment.get("NO_PROXY"), "127.0.0.1,localhost"]))
    return environment | {
        "PATH": f"{SAM_PYTHON.parent}{os.pathsep}{environment.get('PATH', '')}",
        "TMPDIR": str(places.temporary_dir),
        "NO_PROXY": loopback,
        "no_proxy": loopback,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS": "1",  # the template has loops
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "1",
        "__SAM_CLI_APP_DIR": str(places.sam_dir / "settings"),
    }


def prepare_sam_settings(places: Places) -> None:
    """Tell the SAM command line that it looked for a newer version just now, so that it does not call home for one."""
    settings = places.sam_dir / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}), encoding="utf-8")
