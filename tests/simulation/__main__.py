"""`make contention` and `make soak`."""

from __future__ import annotations

import os

# The modelled exceptions come from a client that is never used.
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

if __name__ == "__main__":
    from tests.simulation import contention_report

    contention_report.main()
