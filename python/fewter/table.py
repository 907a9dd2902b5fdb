"""Tables: open a dataset, search it, read rows of it."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fewter import _core
from fewter.filters import FilterChoice, as_filter
from fewter.progress import ProgressCallback, progress_callback
from fewter.session import CacheChoice, Session, default_session
from fewter.vectors import Matrix, as_queries, as_row_ids

if TYPE_CHECKING:
    from fewter.faiss_form import FaissIndex

__all__ = ["Follower", "PrewarmReport", "Table", "follow", "open"]

ApproxMode = Literal["fast", "normal", "accurate"]
DistanceRange = tuple[float | None, float | None]

DEFAULT_NPROBES = 20
# As many partitions as there are: what an unlimited `max_nprobes` is to the library.
ALL_PARTITIONS = 2**32 - 1


@dataclass(frozen=True)
class PrewarmReport:
    """What a prewarming did."""

    # Partitions that have rows; of these, read by this call, and those that could not be.
    partitions: int
    loaded: int
    failed: int
    # Why the first of them could not be read; empty if all could.
    first_error: str
    # How many partitions each tier holds now, by its kind.
    resident: dict[str, int]


def open(
    uri: str | os.PathLike[str],
    *,
    version: int | None = None,
    cache: CacheChoice | None = None,
    session: Session | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Table:
    """Opens a Lance dataset: a path, or a URI of S3, Google or Azure.

    `version` is the version to open, the latest by default. `cache` is what a `Session` takes; `session` shares one with
    other tables; without either, all tables of the process share `default_session()`. `storage_options` are pylance's.
    """
    origin = _Origin(os.fspath(uri), _session_of(cache, session), dict(storage_options or {}))
    return origin.open(version)


class Follower:
    """The latest version of a dataset, for a service that goes on while others write; made by `follow`."""

    def __init__(self, origin: _Origin, interval: float) -> None:
        if not interval >= 0:
            raise ValueError(f"interval is a number of seconds, not {interval}")
        self._origin = origin
        self._latest = _core.LatestDataset.open(origin.uri, origin.session._session, origin.storage_options, interval)
        self._table = Table(self._latest.get(), origin)

    @property
    def table(self) -> Table:
        """The newest version that is known. Costs no request and waits for none: a look for a newer one goes on beside,
        at most once in an interval."""
        dataset = self._latest.get()
        table = self._table
        if dataset.version != table.version:
            table = self._table = Table(dataset, self._origin)
        return table

    def refresh(self) -> Table:
        """Looks now, and waits for what comes of it."""
        self._latest.refresh()
        return self.table

    @property
    def last_error(self) -> str | None:
        """Why the last look failed; None if it did not."""
        return self._latest.last_error()


def follow(
    uri: str | os.PathLike[str],
    *,
    interval: float = 10.0,
    cache: CacheChoice | None = None,
    session: Session | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Follower:
    """Opens the latest version of a dataset, and looks for a newer one from time to time:

    latest = fewter.follow("s3://bucket/table.lance", interval=5)
    latest.table.search(query)
    """
    return Follower(_Origin(os.fspath(uri), _session_of(cache, session), dict(storage_options or {})), interval)


def _session_of(cache: CacheChoice | None, session: Session | None) -> Session:
    if cache is not None and session is not None:
        raise ValueError("cache belongs to the session: give one of the two")
    if session is not None:
        return session
    return default_session() if cache is None else Session(cache)


@dataclass(frozen=True)
class _Origin:
    """Where versions of a dataset come from."""

    uri: str
    session: Session
    # May hold secrets: not shown.
    storage_options: dict[str, str] = field(repr=False)

    def open(self, version: int | None) -> Table:
        return Table(_core.Dataset.open(self.uri, version, self.session._session, self.storage_options), self)


class Table:
    """One version of a Lance dataset, made by `open`. It never changes, and may be used from several threads."""

    def __init__(self, dataset: _core.Dataset, origin: _Origin) -> None:
        self._dataset = dataset
        self._origin = origin

    def __repr__(self) -> str:
        return f"fewter.Table({self.uri!r}, version={self.version}, rows={self.count_rows()})"

    @property
    def uri(self) -> str:
        return self._origin.uri

    @property
    def version(self) -> int:
        return self._dataset.version

    @property
    def session(self) -> Session:
        return self._origin.session

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The schema of the rows."""
        return pa.schema(self._dataset.schema())

    def count_rows(self, filter: FilterChoice | None = None) -> int:
        """How many rows there are, deleted ones left out, or how many of them a filter takes."""
        return self._dataset.count_rows(as_filter(filter))

    def latest(self) -> Table:
        """The latest version of the dataset, with the same session; this one if nobody has written since."""
        latest = self._origin.open(None)
        return self if latest.version == self.version else latest

    # ---- Search ----

    def search(
        self,
        q: Any,
        k: int = 10,
        *,
        column: str | None = None,
        columns: Sequence[str] | None = None,
        nprobes: int = DEFAULT_NPROBES,
        max_nprobes: int | None = None,
        ef: int | None = None,
        refine_factor: int | None = None,
        metric: str | None = None,
        distance_range: DistanceRange | None = None,
        use_index: bool = True,
        fast_search: bool = False,
        index: str | None = None,
        filter: FilterChoice | None = None,
        prefilter: bool = True,
        allow_rows: Any = None,
        block_rows: Any = None,
        approx_mode: ApproxMode = "normal",
        query_parallelism: int = 0,
        fragments: Sequence[int] | None = None,
        index_segments: Sequence[str] | None = None,
        with_row_id: bool | None = None,
        timeout: float | None = None,
    ) -> pa.Table:
        """The k rows nearest to a vector, nearest first.

        `q` is a vector of numbers: a list, a NumPy array, a torch tensor, an Arrow array. One of two dimensions is a
        batch of queries: the result then has the rows of all of them, in the order of the queries, and their number as
        its first column, `query_index` (int32, from 0).

        column:            the vector column; may be left out if there is only one.
        columns:           what to return of the rows; all columns by default. `_distance` comes after them unless it is
                           among them. An empty list reads no data, and returns `_distance` and `_rowid`.
        with_row_id:       return `_rowid`, too: what `take` wants.
        nprobes:           how many partitions of the index to search.
        max_nprobes:       go on to so many while fewer than k rows have been found, as a filter may bring about.
        ef:                of HNSW: how many candidates to keep on the way, at least k; 1.5 k by default.
        refine_factor:     take so many times k rows from the index, and order them by their exact distances.
        metric:            l2, cosine, dot or hamming; the index's by default. With another one the search is exact.
        distance_range:    (from, below): only rows at such distances; either may be None.
        use_index:         False compares all rows.
        fast_search:       leave out rows that no index covers.
        index:             the index to use, by name, if the column has several.
        filter:            only rows that it takes: SQL as pylance has it ("price < 20 AND lang = 'en'"), or an expression of
                           pyarrow.compute. prefilter: False looks for the k nearest of all rows, and returns those of
                           them that the filter takes, maybe none.
        allow_rows:        only rows with these ids. block_rows: none with these.
        approx_mode:       how exactly RaBitQ estimates: fast, normal or accurate.
        query_parallelism: how many threads may work on it; -1 for one a processor.
        fragments:         only rows of these fragments. index_segments: only of these segments of the index.
        timeout:           send no request to the store after so many seconds, and fail with OSError.

        Distances are Lance's (squared for l2), smaller is nearer.
        """
        queries, is_batch = as_queries(q)
        request = _request(
            column=column or self._vector_column,
            k=k,
            nprobes=nprobes,
            max_nprobes=max_nprobes,
            ef=ef,
            refine_factor=refine_factor,
            metric=metric,
            distance_range=distance_range,
            use_index=use_index,
            fast_search=fast_search,
            index=index,
            filter=filter,
            prefilter=prefilter,
            allow_rows=allow_rows,
            block_rows=block_rows,
            approx_mode=approx_mode,
            query_parallelism=query_parallelism,
            fragments=fragments,
            index_segments=index_segments,
            timeout=timeout,
        )
        if with_row_id is None:
            with_row_id = columns is not None and len(columns) == 0
        return self._search(request, queries, self._layout(columns, is_batch, with_row_id))

    def search_arrays(
        self, q: Any, k: int = 10, *, column: str | None = None, **options: Any
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Distances and row ids of what `search` finds, as two arrays with a row of k places for each query. What is
        missing of k rows is at an infinite distance and has the id -1. `options` are those of `search` but for what to
        return."""
        queries, _ = as_queries(q)
        return self._dataset.search_arrays(_request(column=column or self._vector_column, k=k, **options), queries)

    async def search_async(self, q: Any, k: int = 10, **options: Any) -> pa.Table:
        """`search` on a thread of the event loop's executor, which other coroutines do not wait for."""
        return await asyncio.get_running_loop().run_in_executor(None, functools.partial(self.search, q, k, **options))

    def _search(self, request: _core.SearchRequest, queries: Matrix, layout: list[str]) -> pa.Table:
        return pa.Table.from_batches([pa.record_batch(self._dataset.search(request, queries, layout))])

    @functools.cached_property
    def _vector_column(self) -> str:
        names = [field.name for field in self.schema if _is_vector(field.type)]
        if len(names) != 1:
            found = ", ".join(names) if names else "none"
            raise ValueError(f"column must name the vector column, since there is not exactly one of them: {found}")
        return names[0]

    def _layout(
        self,
        columns: Sequence[str] | None,
        is_batch: bool,
        with_row_id: bool,
        with_row_address: bool = False,
        with_distance: bool = True,
    ) -> list[str]:
        """The names of a result's columns, in pylance's order."""
        if isinstance(columns, str):
            raise TypeError("columns is a list of names, not a string")
        names = list(self.schema.names if columns is None else columns)
        if is_batch:
            if "query_index" in self.schema.names:
                raise ValueError("a batch of queries needs the name query_index, which is a column of the table")
            names = ["query_index", *(name for name in names if name != "query_index")]
        if with_distance and "_distance" not in names:
            names.append("_distance")
        for name, is_wanted in (("_rowid", with_row_id), ("_rowaddr", with_row_address)):
            if is_wanted:
                names = [*(other for other in names if other != name), name]
        return names

    def to_table(
        self,
        columns: Sequence[str] | None = None,
        filter: FilterChoice | None = None,
        limit: int | None = None,
        offset: int | None = None,
        nearest: Mapping[str, Any] | None = None,
        *,
        prefilter: bool = False,
        with_row_id: bool = False,
        with_row_address: bool = False,
        fast_search: bool = False,
        fragments: Iterable[Any] | None = None,
        index_segments: Iterable[Any] | None = None,
        disable_scoring_autoprojection: bool = False,
    ) -> pa.Table:
        """Rows as pylance's `LanceDataset.to_table` gives them: the same arguments, the same columns in the same order.

        `nearest` is pylance's dictionary: `column`, `q`, and if wanted `k`, `metric`, `nprobes`, `minimum_nprobes`,
        `maximum_nprobes`, `refine_factor`, `use_index`, `ef`, `query_parallelism`, `approx_mode` and `distance_range`.
        With it, a filter looks at what was found, unless `prefilter` is true. Without it, all rows, as `scan` has them.
        """
        if nearest is None:
            layout = self._layout(columns, False, with_row_id, with_row_address, with_distance=False)
            found = _first_rows(self.scan(layout, filter=filter), None if limit is None else limit + (offset or 0))
            return _slice(found, limit, offset)
        return self.prepare_nearest(
            nearest,
            columns,
            filter,
            limit,
            offset,
            prefilter=prefilter,
            with_row_id=with_row_id,
            with_row_address=with_row_address,
            fast_search=fast_search,
            fragments=fragments,
            index_segments=index_segments,
            disable_scoring_autoprojection=disable_scoring_autoprojection,
        )()

    def prepare_nearest(
        self,
        nearest: Mapping[str, Any],
        columns: Sequence[str] | None = None,
        filter: FilterChoice | None = None,
        limit: int | None = None,
        offset: int | None = None,
        *,
        prefilter: bool = False,
        with_row_id: bool = False,
        with_row_address: bool = False,
        disable_scoring_autoprojection: bool = False,
        **options: Any,
    ) -> Callable[[], pa.Table]:
        """The search that `to_table` makes of `nearest`, with its arguments checked, to be made later."""
        if nearest.get("k") is None and limit is not None:
            nearest = {**nearest, "k": limit}
        queries, is_batch, request = _request_of_nearest(nearest, filter=filter, prefilter=prefilter, **options)
        with_distance = not (disable_scoring_autoprojection and columns is not None)
        layout = self._layout(columns, is_batch, with_row_id, with_row_address, with_distance)
        return lambda: _slice(self._search(request, queries, layout), limit, offset)

    # ---- Rows ----

    def take(self, ids: Any, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows with these ids (the `_rowid` of a search), in their order; all columns by default. `_rowid` and
        `_rowaddr` are columns, too."""
        batch = self._dataset.take(as_row_ids(ids), _names(columns))
        return pa.Table.from_batches([pa.record_batch(batch)])

    def scan(
        self, columns: Sequence[str] | None = None, *, filter: FilterChoice | None = None, batch_size: int = 8192
    ) -> pa.RecordBatchReader:
        """All rows, or those that a filter takes, in the dataset's order, in batches that are read as they are asked for."""
        return pa.RecordBatchReader.from_stream(
            self._dataset.scan(_names(columns), as_filter(filter), _at_least("batch_size", batch_size, 1))
        )

    # ---- The index and its cache ----

    def index_info(self) -> list[dict[str, Any]]:
        """The vector indexes: `name`, and for each of the `segments` what it is made of. Reads what is not cached."""
        return [
            {"name": name, "segments": self._dataset.describe_index(name)}
            for name in self._dataset.vector_index_names()
        ]

    def prewarm(
        self,
        column: str | None = None,
        *,
        index: str | None = None,
        strict: bool = False,
        max_bytes: int | None = None,
        bytes_per_second: int = 0,
        progress: bool | ProgressCallback = False,
    ) -> PrewarmReport:
        """Brings every part of the column's index into the cache, so that searches read nothing of it.

        progress:         True for a bar of tqdm, or else rich, if one of them is installed; or a function that is called
                          with the number of partitions done, of all, and the bytes read. What it raises ends this.
        strict:           raise the error of the first part that could not be read, or kept in some tier.
        max_bytes:        read no more than so much. bytes_per_second: how fast.
        """
        column = column or self._vector_column
        with progress_callback(progress, f"prewarming {column}") as callback:
            report = self._dataset.prewarm(column, index or "", strict, max_bytes, bytes_per_second, callback)
        return PrewarmReport(**report)

    def stats(self) -> dict[str, Any]:
        """What the cache of the session has done (`cache`), and what was read for this table (`io`)."""
        return {"cache": self.session.stats(), "io": self.io_stats()}

    def io_stats(self) -> dict[str, Any]:
        """Requests and bytes read for this table: of `manifest`, `index` and `data` files; `retries`; `rounds`, how often
        somebody waited for one request after another; and the `seconds` in which some were under way."""
        return self._dataset.io_stats()

    # ---- Other forms ----

    def as_faiss(self, column: str | None = None, **options: Any) -> FaissIndex:
        """The column's index with the calls that a FAISS index has; `options` are those of `search`."""
        from fewter.faiss_form import FaissIndex

        return FaissIndex(self, column or self._vector_column, options)


def _is_vector(type_: pa.DataType) -> bool:
    if isinstance(type_, pa.ExtensionType):
        type_ = type_.storage_type
    if not pa.types.is_fixed_size_list(type_):
        return False
    element = type_.value_type
    return pa.types.is_floating(element) or pa.types.is_uint8(element)


def _names(columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise TypeError("columns is a list of names, not a string")
    if columns is not None and len(columns) == 0:
        raise ValueError("columns names none; leave it out for all")
    return list(columns or [])


def _at_least(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if not least <= value.__index__() <= ALL_PARTITIONS:
        raise ValueError(f"{name} must be at least {least} and less than 2^32, not {value}")
    return value.__index__()


def _slice(rows: pa.Table, limit: int | None, offset: int | None) -> pa.Table:
    return rows if limit is None and not offset else rows.slice(offset or 0, limit)


def _first_rows(reader: pa.RecordBatchReader, limit: int | None) -> pa.Table:
    """At least so many rows, if there are as many; reads no more batches than that takes."""
    if limit is None:
        return reader.read_all()
    batches = []
    while limit > 0:
        try:
            batches.append(reader.read_next_batch())
        except StopIteration:
            break
        limit -= batches[-1].num_rows
    return pa.Table.from_batches(batches, reader.schema)


# What `nearest` may hold, and what `Table.search` calls it.
NEAREST_OPTIONS = {
    "k": "k",
    "metric": "metric",
    "refine_factor": "refine_factor",
    "use_index": "use_index",
    "ef": "ef",
    "query_parallelism": "query_parallelism",
    "approx_mode": "approx_mode",
    "distance_range": "distance_range",
}
NEAREST_KEYS = {"column", "q", "nprobes", "minimum_nprobes", "maximum_nprobes", *NEAREST_OPTIONS}


def _request_of_nearest(
    nearest: Mapping[str, Any],
    *,
    filter: FilterChoice | None,
    prefilter: bool,
    fast_search: bool = False,
    fragments: Iterable[Any] | None = None,
    index_segments: Iterable[Any] | None = None,
) -> tuple[Matrix, bool, _core.SearchRequest]:
    """The queries of `nearest`, whether they are a batch, and the request of pylance's arguments."""
    unknown = nearest.keys() - NEAREST_KEYS
    if unknown:
        raise ValueError(f"nearest has unknown keys: {', '.join(sorted(unknown))}")
    for key in ("column", "q"):
        if key not in nearest:
            raise ValueError(f"nearest needs the key {key!r}")
    queries, is_batch = as_queries(nearest["q"])
    options = {name: nearest[key] for key, name in NEAREST_OPTIONS.items() if nearest.get(key) is not None}
    request = _request(
        column=nearest["column"],
        filter=filter,
        prefilter=prefilter,
        fast_search=fast_search,
        fragments=None if fragments is None else [getattr(one, "fragment_id", one) for one in fragments],
        index_segments=None if index_segments is None else [str(one) for one in index_segments],
        **_probes(nearest),
        **options,
    )
    return queries, is_batch, request


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


def _request(
    *,
    column: str,
    k: int = 10,
    nprobes: int = DEFAULT_NPROBES,
    max_nprobes: int | None = None,
    ef: int | None = None,
    refine_factor: int | None = None,
    metric: str | None = None,
    distance_range: DistanceRange | None = None,
    use_index: bool = True,
    fast_search: bool = False,
    index: str | None = None,
    filter: FilterChoice | None = None,
    prefilter: bool = True,
    allow_rows: Any = None,
    block_rows: Any = None,
    approx_mode: ApproxMode = "normal",
    query_parallelism: int = 0,
    fragments: Sequence[int] | None = None,
    index_segments: Sequence[str] | None = None,
    timeout: float | None = None,
) -> _core.SearchRequest:
    """The options of `Table.search` as the library has them."""
    lower, upper = distance_range or (None, None)
    if query_parallelism < -1:
        raise ValueError(f"query_parallelism is a number of threads, or -1 for all, not {query_parallelism}")
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout is a number of seconds, not {timeout}")
    return _core.SearchRequest(
        column=column,
        k=_at_least("k", k, 1),
        nprobes=_at_least("nprobes", nprobes, 1),
        max_nprobes=0 if max_nprobes is None else _at_least("max_nprobes", max_nprobes, 1),
        ef=0 if ef is None else _at_least("ef", ef, 1),
        refine_factor=0 if refine_factor is None else _at_least("refine_factor", refine_factor, 1),
        distance_from=lower,
        distance_below=upper,
        filter=as_filter(filter),
        filter_after=filter is not None and not prefilter,
        allow_rows=None if allow_rows is None else as_row_ids(allow_rows),
        block_rows=None if block_rows is None else as_row_ids(block_rows),
        approx_mode=approx_mode,
        query_parallelism=query_parallelism,
        metric=None if metric is None else metric.lower(),
        use_index=use_index,
        index=index or "",
        indexed_rows_only=fast_search,
        fragments=None if fragments is None else list(fragments),
        timeout=timeout,
        segments=None if index_segments is None else [str(segment) for segment in index_segments],
    )
