"""Run a subcommand: `python -m ops <subcommand>`."""

import os
import sys

from ops.command_line import main

status = main()
sys.stdout.flush()
# An invocation that was interrupted runs on in the cloud. Python would wait for its answer before it ends.
os._exit(status)
