"""No garbage collection while a function starts, and none of what the start made ever after.

A start makes hundreds of thousands of objects that stay. The collector looks through them again and again while they
are made, in vain. Each handler imports this module before all else, which switches the collector off, and calls
``start_finished`` when everything is there.
"""

from __future__ import annotations

import gc

gc.disable()


def start_finished() -> None:
    """Let the collector ignore what there is, and collect what requests leave behind."""
    gc.freeze()
    gc.enable()
