"""What a search may be told, as `Table.search` takes it and as pylance's `nearest` says it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from fewter import _core
from fewter.filters import FilterChoice, as_filter
from fewter.vectors import as_row_ids

ApproxMode = Literal["fast", "normal", "accurate"]
DistanceRange = tuple[float | None, float | None]

DEFAULT_NPROBES = 20
# As many partitions as there are: what an unlimited `max_nprobes` is to the library.
ALL_PARTITIONS = 2**32 - 1


class SearchOptions(TypedDict, total=False):
    """The options of a search. `Table.search` says what they do; None is the default of each."""

    column: str | None
    nprobes: int | None
    max_nprobes: int | None
    ef: int | None
    refine_factor: int | None
    metric: str | None
    distance_range: DistanceRange | None
    use_index: bool | None
    fast_search: bool | None
    index: str | None
    filter: FilterChoice | None
    prefilter: bool | None
    allow_rows: Any
    block_rows: Any
    approx_mode: ApproxMode | None
    query_parallelism: int | None
    fragments: Sequence[int] | None
    index_segments: Sequence[str] | None
    timeout: float | None


def _at_least_one(name: str, value: Any) -> int:
    return at_least(name, value, 1)


def _threads(name: str, value: int) -> int:
    if value < -1:
        raise ValueError(f"{name} is a number of threads, or -1 for all, not {value}")
    return value


def _seconds(name: str, value: float) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not value >= 0:
        raise ValueError(f"{name} is a number of seconds, not {value}")
    return value


# What becomes of an option's value, and what the library calls it, where that is not as it is given. The two that are
# not among them, distance_range and prefilter, are no single argument of the library.
_CONVERTED: dict[str, Callable[[str, Any], Any]] = {
    "nprobes": _at_least_one,
    "max_nprobes": _at_least_one,
    "ef": _at_least_one,
    "refine_factor": _at_least_one,
    "metric": lambda _, metric: metric.lower(),
    "filter": lambda _, filter: as_filter(filter),
    "allow_rows": lambda _, ids: as_row_ids(ids),
    "block_rows": lambda _, ids: as_row_ids(ids),
    "query_parallelism": _threads,
    "fragments": lambda _, fragments: list(fragments),
    "index_segments": lambda _, segments: [str(segment) for segment in segments],
    "timeout": _seconds,
}
_RENAMED = {"fast_search": "indexed_rows_only", "index_segments": "segments"}
_KNOWN = frozenset(SearchOptions.__annotations__)


def request_of(column: str, k: int, options: Mapping[str, Any]) -> _core.SearchRequest:
    """The library's request; `options` are SearchOptions, of which the column is not looked at."""
    arguments: dict[str, Any] = {}
    for name, value in options.items():
        if name not in _KNOWN:
            raise TypeError(f"a search has no option {name!r}{_meant(name)}")
        if value is not None:
            convert = _CONVERTED.get(name)
            arguments[_RENAMED.get(name, name)] = value if convert is None else convert(name, value)
    arguments["column"] = column
    arguments["k"] = at_least("k", k, 1)
    if "distance_range" in arguments:
        arguments["distance_from"], arguments["distance_below"] = _pair(arguments.pop("distance_range"))
    if "filter" in arguments:
        arguments["filter_after"] = not arguments.get("prefilter", True)
    arguments.pop("prefilter", None)
    return _core.SearchRequest(**arguments)


def _meant(name: str) -> str:
    similar = difflib.get_close_matches(name, _KNOWN | {"k", "columns", "with_row_id"}, n=1)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def _pair(distance_range: Any) -> DistanceRange:
    try:
        begin, end = distance_range
    except (TypeError, ValueError):
        raise TypeError(
            f"distance_range is a pair (from, below), either of which may be None, not {distance_range!r}"
        ) from None
    return begin, end


def at_least(name: str, value: Any, least: int, bits: int = 32) -> int:
    """A whole number that the library has so many bits for."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if not least <= value.__index__() < 2**bits:
        raise ValueError(f"{name} must be at least {least} and less than 2^{bits}, not {value}")
    return value.__index__()


# Of what `nearest` may hold, that which `Table.search` has by the same name.
_SAME_IN_NEAREST = {
    "metric",
    "refine_factor",
    "use_index",
    "ef",
    "query_parallelism",
    "approx_mode",
    "distance_range",
}
NEAREST_KEYS = {"column", "q", "k", "nprobes", "minimum_nprobes", "maximum_nprobes", *_SAME_IN_NEAREST}


def request_of_nearest(
    nearest: Mapping[str, Any],
    *,
    fragments: Iterable[Any] | None = None,
    index_segments: Iterable[Any] | None = None,
    **options: Any,
) -> _core.SearchRequest:
    """The library's request of pylance's arguments; the queries are not looked at."""
    unknown = nearest.keys() - NEAREST_KEYS
    if unknown:
        raise ValueError(f"nearest has unknown keys: {', '.join(sorted(unknown))}")
    for key in ("column", "q"):
        if key not in nearest:
            raise ValueError(f"nearest needs the key {key!r}")
    options |= {name: nearest[name] for name in _SAME_IN_NEAREST & nearest.keys()}
    options |= _probes(nearest)
    options["fragments"] = None if fragments is None else [getattr(one, "fragment_id", one) for one in fragments]
    options["index_segments"] = None if index_segments is None else list(index_segments)
    k = nearest.get("k")
    return request_of(nearest["column"], 10 if k is None else k, options)


def _probes(nearest: Mapping[str, Any]) -> dict[str, Any]:
    """`nprobes` is both bounds in one; `minimum_nprobes` alone has none above it."""
    if nearest.get("nprobes") is not None:
        return {"nprobes": nearest["nprobes"]}
    least, most = nearest.get("minimum_nprobes"), nearest.get("maximum_nprobes")
    if least is not None and most is not None and least > most:
        raise ValueError("minimum_nprobes must be <= maximum_nprobes")
    if least is None and most is None:
        return {}
    if most is None:
        return {"nprobes": max(least or 0, 1), "max_nprobes": ALL_PARTITIONS}
    return {"nprobes": min(max(DEFAULT_NPROBES if least is None else least, 1), most), "max_nprobes": most}
