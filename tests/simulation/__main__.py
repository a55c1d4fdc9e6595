"""`make contention` and `make soak`."""

from __future__ import annotations

import os
import sys

# The modelled exceptions come from a client that makes no call.
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}

if __name__ == "__main__":
    from tests.simulation import contention_report, soak

    if sys.argv[1] == "contention":
        contention_report.main()
    else:
        sys.exit(soak.main())
