"""Tables: open a dataset, search it, read rows of it."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fewter import _core
from fewter.filters import FilterChoice, as_filter
from fewter.options import DEFAULT_NPROBES, SearchOptions, at_least, request_of, request_of_nearest
from fewter.progress import ProgressCallback, progress_callback
from fewter.session import CacheChoice, Session, default_session
from fewter.vectors import Matrix, as_queries, as_row_ids

BlobHandling: TypeAlias = Literal["binary", "descriptions"]

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from fewter.faiss_form import FaissIndex

__all__ = ["Follower", "PrewarmReport", "Table", "follow", "open"]


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
    origin = _Origin(os.fspath(uri), _session_of(cache, session), _strings_of(storage_options))
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
    return Follower(_Origin(os.fspath(uri), _session_of(cache, session), _strings_of(storage_options)), interval)


def _session_of(cache: CacheChoice | None, session: Session | None) -> Session:
    if cache is not None and session is not None:
        raise ValueError("cache belongs to the session: give one of the two")
    if session is not None:
        return session
    return default_session() if cache is None else Session(cache)


def _strings_of(storage_options: Mapping[str, str] | None) -> dict[str, str]:
    for name, value in (storage_options or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            # The value may be a secret.
            raise TypeError(f"storage_options are strings, but {name!r} is of type {type(value).__name__}")
    return dict(storage_options or {})


@dataclass(frozen=True)
class _Origin:
    """Where versions of a dataset come from."""

    uri: str
    session: Session
    # May hold secrets: not shown.
    storage_options: dict[str, str] = field(repr=False)

    def open(self, version: int | None) -> Table:
        if version is not None:
            version = at_least("version", version, 0, bits=64)
        return Table(_core.Dataset.open(self.uri, version, self.session._session, self.storage_options), self)


class Table:
    """One version of a Lance dataset, made by `open`. It never changes, and may be used from several threads."""

    def __init__(self, dataset: _core.Dataset, origin: _Origin) -> None:
        self._dataset = dataset
        self._origin = origin

    def __repr__(self) -> str:
        return f"fewter.Table({self.uri!r}, version={self.version}, rows={self.count_rows()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a fewter.Table is not pickled, since its cache is the process': pass its uri and version, and fewter.open "
            "them there"
        )

    def __copy__(self) -> Table:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Table:
        return self

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
        columns: Sequence[str] | None = None,
        with_row_id: bool | None = None,
        **options: Unpack[SearchOptions],
    ) -> pa.Table:
        """The k rows nearest to a vector, nearest first.

        `q` is a vector of numbers: a list, a NumPy array, a torch tensor, an Arrow array. One of two dimensions is a
        batch of queries: the result then has the rows of all of them, in the order of the queries, and their number as
        its first column, `query_index` (int32, from 0).

        columns:           what to return of the rows; all columns by default. `_distance` comes after them unless it is
                           among them. An empty list reads no data, and returns `_distance` and `_rowid`. A field of a
                           struct is named by its path ("struct.field").
        with_row_id:       return `_rowid`, too: what `take` wants.

        The options, each of which may be left out or None:

        column:            the vector column; needed if there is more than one.
        nprobes:           how many partitions of the index to search; 20 by default.
        max_nprobes:       go on to so many while fewer than k rows have been found, as a filter may bring about.
        ef:                of HNSW: how many candidates to keep on the way, at least k; 1.5 k by default.
        refine_factor:     take so many times k rows from the index, and order them by their exact distances.
        metric:            l2, cosine, dot or hamming; the index's by default. With another one the search is exact.
        distance_range:    (from, below): only rows at such distances; either may be None.
        use_index:         False compares all rows.
        fast_search:       True leaves out rows that no index covers.
        index:             the index to use, by name, if the column has several.
        filter:            only rows that it takes: SQL as pylance has it ("price < 20 AND lang = 'en'"), or an expression of
                           pyarrow.compute. prefilter: False looks for the k nearest of all rows, and returns those of
                           them that the filter takes, maybe none.
        allow_rows:        only rows with these ids. block_rows: none with these.
        approx_mode:       how exactly RaBitQ estimates: fast, normal (the default) or accurate.
        query_parallelism: how many threads may work on it, the caller's included, which is the only one by default; -1 for
                           one a processor.
        fragments:         only rows of these fragments. index_segments: only of these segments of the index.
        timeout:           send no request to the store after so many seconds, and fail with TimeoutError.

        Distances are Lance's (squared for l2), smaller is nearer.

        Raises what pyarrow raises, which are built-in exceptions too: KeyError for a column or an index that is not
        there, ValueError for numbers that make no sense and malformed files, TypeError for a q that is no vector,
        NotImplementedError for what is not supported, OSError for the store, TimeoutError among them. Ctrl-C ends it
        before its next request, with KeyboardInterrupt.
        """
        return self._search(q, k, columns, with_row_id, options, None)

    def search_arrays(
        self, q: Any, k: int = 10, **options: Unpack[SearchOptions]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Distances and row ids of what `search` finds, as two arrays with a row of k places for each query. What is
        missing of k rows is at an infinite distance and has the id -1. `options` are those of `search`."""
        queries, _ = as_queries(q)
        return self._dataset.search_arrays(self._request(k, options), queries, None)

    async def search_async(
        self,
        q: Any,
        k: int = 10,
        *,
        columns: Sequence[str] | None = None,
        with_row_id: bool | None = None,
        **options: Unpack[SearchOptions],
    ) -> pa.Table:
        """`search` on a thread of the event loop's executor, which other coroutines do not wait for. A task that is
        cancelled goes on at once, and the search ends before its next request, or the next of many queries."""
        stop = _core.StopSource()
        search = functools.partial(self._search, q, k, columns, with_row_id, options, stop)
        # Whatever is under way here, such as a span, goes on there.
        run = contextvars.copy_context().run
        try:
            return await asyncio.get_running_loop().run_in_executor(None, run, search)
        except asyncio.CancelledError:
            stop.request_stop()
            raise

    def _search(
        self,
        q: Any,
        k: int,
        columns: Sequence[str] | None,
        with_row_id: bool | None,
        options: SearchOptions,
        stop: _core.StopSource | None,
    ) -> pa.Table:
        queries, is_batch = as_queries(q)
        request = self._request(k, options)
        if with_row_id is None:
            with_row_id = columns is not None and len(columns) == 0
        return self._rows_of(request, queries, self._layout(columns, is_batch, with_row_id), stop)

    def _request(self, k: int, options: SearchOptions) -> _core.SearchRequest:
        return request_of(options.get("column") or self._vector_column, k, options)

    def _rows_of(
        self,
        request: _core.SearchRequest,
        queries: Matrix,
        layout: list[str],
        stop: _core.StopSource | None = None,
    ) -> pa.Table:
        return pa.Table.from_batches([pa.record_batch(self._dataset.search(request, queries, layout, stop))])

    @functools.cached_property
    def _vector_column(self) -> str:
        names = [field.name for field in self.schema if is_vector(field.type)]
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
        request = request_of_nearest(nearest, filter=filter, prefilter=prefilter, **options)
        queries, is_batch = as_queries(nearest["q"])
        with_distance = not (disable_scoring_autoprojection and columns is not None)
        layout = self._layout(columns, is_batch, with_row_id, with_row_address, with_distance)
        return lambda: _slice(self._rows_of(request, queries, layout), limit, offset)

    # ---- Rows ----

    def take(self, ids: Any, columns: Sequence[str] | None = None, *, blobs: BlobHandling = "descriptions") -> pa.Table:
        """The rows with these ids (the `_rowid` of a search), in their order; all columns by default. `_rowid` and
        `_rowaddr` are columns, too. KeyError for an id that no row has. `blobs` as for `scan`.

        pylance's `take` is given positions instead, which are other numbers as soon as rows have been deleted or there are
        several fragments: see `rows`."""
        batch = self._dataset.take(as_row_ids(ids), _names(columns), _wants_bytes(blobs))
        return pa.Table.from_batches([pa.record_batch(batch)])

    def rows(
        self, positions: Any, columns: Sequence[str] | None = None, *, blobs: BlobHandling = "descriptions"
    ) -> pa.Table:
        """The rows at these positions, from 0, in the dataset's order with deleted rows left out: what pylance's `take`
        returns. The first call reads which rows there are, and the table keeps that, 8 bytes a row. IndexError for a
        position that there is not."""
        wanted = as_row_ids(positions, "position")
        ids = self._row_ids
        if wanted.size and int(wanted.max()) >= len(ids):
            raise IndexError(f"position {wanted.max()}: the table has {len(ids)} rows")
        return self.take(ids[wanted], columns, blobs=blobs)

    def head(self, n: int = 5, columns: Sequence[str] | None = None) -> pa.Table:
        """The first n rows; all of them if there are fewer."""
        n = at_least("n", n, 0)
        return _first_rows(self.scan(columns, batch_size=min(max(n, 1), 8192)), n).slice(0, n)

    @functools.cached_property
    def _row_ids(self) -> npt.NDArray[np.uint64]:
        return self.scan(["_rowid"]).read_all()["_rowid"].to_numpy()

    def scan(
        self,
        columns: Sequence[str] | None = None,
        *,
        filter: FilterChoice | None = None,
        batch_size: int = 8192,
        blobs: BlobHandling = "descriptions",
    ) -> pa.RecordBatchReader:
        """All rows, or those that a filter takes, in the dataset's order, in batches that are read as they are asked for,
        a few of them ahead. Ctrl-C ends it between two batches.

        `blobs` says how blob columns are presented: "descriptions" of where they lie, as pylance does by default, or
        "binary", their bytes, as with its blob_handling="all_binary"; a batch then has at most 64 MiB of these. ValueError
        for another, NotImplementedError for a blob outside of the dataset."""
        batch_size = at_least("batch_size", batch_size, 1)
        reader = self._dataset.scan(_names(columns), as_filter(filter), batch_size, _wants_bytes(blobs))
        # A reader that Arrow goes through alone would not let Python see a Ctrl-C before its end.
        return pa.RecordBatchReader.from_batches(pa.schema(reader.schema()), _batches(reader))

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
        max_bytes:        read no more than so much of each segment of the index, beside what opening it reads, which is
                          all of a file below 8 MiB. bytes_per_second: how fast.
        """
        column = column or self._vector_column
        if max_bytes is not None:
            max_bytes = at_least("max_bytes", max_bytes, 0, bits=64)
        bytes_per_second = at_least("bytes_per_second", bytes_per_second, 0, bits=64)
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

    def as_faiss(self, column: str | None = None, *, nprobes: int | None = None, **options: Any) -> FaissIndex:
        """The column's index with the calls that a FAISS index has. `options` are others of `search`."""
        from fewter.faiss_form import FaissIndex

        return FaissIndex(self, column or self._vector_column, nprobes or DEFAULT_NPROBES, options)


def is_vector(type_: pa.DataType) -> bool:
    """Whether values of a type are vectors that can be searched."""
    if isinstance(type_, pa.ExtensionType):
        type_ = type_.storage_type
    if not pa.types.is_fixed_size_list(type_):
        return False
    element = type_.value_type
    return pa.types.is_floating(element) or pa.types.is_uint8(element)


def _wants_bytes(blobs: str) -> bool:
    if blobs not in ("binary", "descriptions"):
        raise ValueError(f"blobs must be 'binary' or 'descriptions', not {blobs!r}")
    return blobs == "binary"


def _batches(reader: _core.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while (batch := reader.read_next()) is not None:
        yield pa.record_batch(batch)


def _names(columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise TypeError("columns is a list of names, not a string")
    if columns is not None and len(columns) == 0:
        raise ValueError("columns names none; leave it out for all")
    return list(columns or [])


def _slice(rows: pa.Table, limit: int | None, offset: int | None) -> pa.Table:
    return rows if limit is None and not offset else rows.slice(offset or 0, limit)


def _first_rows(reader: pa.RecordBatchReader, limit: int | None) -> pa.Table:
    """At least so many rows, if there are as many; reads no more batches than that takes."""
    if limit is None:
        return reader.read_all()
    batches, rows = [], 0
    while rows < limit:
        try:
            batches.append(reader.read_next_batch())
        except StopIteration:
            break
        rows += batches[-1].num_rows
    return pa.Table.from_batches(batches, reader.schema)
