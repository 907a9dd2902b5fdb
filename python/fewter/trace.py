"""What a search did and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A piece of work. docs/metrics.md says which there are."""

    name: str
    # The place in the trace of the span that it is a part of; None for the first.
    parent: int | None
    # Nanoseconds since 1970.
    begin: int
    end: int
    attributes: Mapping[str, int | float | str]
    # What it failed with.
    error: str | None


# Called with the spans of one search, opening, take or prewarming in the order in which they began, when it has ended, on
# the thread that called it.
TraceListener = Callable[[list[Span]], object]
