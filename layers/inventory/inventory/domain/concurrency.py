"""Parallel calls, without naming threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class AtOnce(Protocol):
    """Makes calls in parallel and returns their results in order, as ``Executor.map`` does. ``map`` is one too."""

    def __call__[T, R](self, function: Callable[[T], R], values: Iterable[T], /) -> Iterator[R]:
        """Call ``function`` with each of ``values``."""
        ...
