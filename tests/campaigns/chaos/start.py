"""Start the emulator of a folder on a port, and leave it running."""

from __future__ import annotations

import sys
from pathlib import Path

from local.emulator import Emulator
from local.places import Places

if __name__ == "__main__":
    Emulator(int(sys.argv[2]), Places(Path(sys.argv[1])), detached=True).start()
