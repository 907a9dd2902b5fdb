"""Filters in the forms that people have them."""

from __future__ import annotations

import functools
import typing

import pyarrow.compute as pc

from fewter import _core

FilterChoice: typing.TypeAlias = str | pc.Expression


# Filters never change, and programs have few of them.
@functools.lru_cache(maxsize=256)
def _parsed(condition: str) -> _core.Filter:
    return _core.parse_filter(condition)


def as_filter(filter: FilterChoice | None) -> _core.Filter | None:
    """SQL, or an expression of pyarrow.compute, which comes over as it does when it is pickled."""
    if filter is None:
        return None
    if isinstance(filter, str):
        return _parsed(filter)
    if isinstance(filter, pc.Expression):
        return _core.expression_filter(filter.__reduce__()[1][0].to_pybytes())
    raise TypeError(f"a filter is SQL or an expression of pyarrow.compute, not {filter!r}")
