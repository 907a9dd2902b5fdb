"""A pylance dataset whose vector searches fewter answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from fewter.options import NEAREST_KEYS
from fewter.session import CacheChoice, Session
from fewter.table import Table, open

if TYPE_CHECKING:
    import lance

_log = logging.getLogger("fewter")

# Arguments of pylance's scanner that say what is returned, which Table.to_table has, too;
_SERVED = {
    "columns",
    "filter",
    "prefilter",
    "limit",
    "offset",
    "nearest",
    "with_row_id",
    "with_row_address",
    "fast_search",
    "fragments",
    "index_segments",
    "disable_scoring_autoprojection",
}
# and those that only say how it is read.
_IGNORED = {
    "batch_size",
    "batch_size_bytes",
    "batch_readahead",
    "fragment_readahead",
    "scan_in_order",
    "io_buffer_size",
    "late_materialization",
    "use_stats",
    "use_scalar_index",
    "strict_batch_size",
}


# What the library raises, and what our own checks of arguments do.
_FAILURES = (pa.ArrowException, OSError, TypeError, ValueError, LookupError)


class AcceleratedDataset:
    """A `lance.LanceDataset` as `accelerate` wraps it: everything that one has, but that `to_table`, `to_batches`,
    `to_pandas` and `scanner` are answered by fewter where they search for the rows nearest to a vector. A search that
    asks for something that fewter does not do, or that fails, is made by pylance, whose errors are therefore those that
    one sees; the logger `fewter` says why, at level INFO."""

    def __init__(self, dataset: lance.LanceDataset, session: Session | None, cache: CacheChoice | None) -> None:
        self._lance = dataset
        self._table = _open(dataset, session=session, cache=cache)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lance, name)

    def __repr__(self) -> str:
        return f"fewter.accelerate({self._lance!r})"

    def __len__(self) -> int:
        return len(self._lance)

    @property
    def lance(self) -> lance.LanceDataset:
        """The dataset itself."""
        return self._lance

    @property
    def table(self) -> Table:
        """The version of it that is searched: that of the dataset, which may have gone on by writing."""
        if self._table.version != self._lance.version:
            self._table = _open(self._lance, session=self._table.session)
        return self._table

    def scanner(self, columns: Any = None, *args: Any, **options: Any) -> Any:
        """pylance's scanner, or an object that has its functions for reading."""
        options["columns"] = columns
        reason = "positional arguments" if args else self._reason_for_pylance(options)
        if reason is None:
            try:
                return NearestScanner(self, options)
            except _FAILURES as error:  # If it is an error for pylance, too, it says so in its own words.
                reason = str(error)
        if options.get("nearest") is not None:
            _log.info("pylance answers: %s", reason)
        return self._lance.scanner(options.pop("columns"), *args, **options)

    def to_table(self, columns: Any = None, *args: Any, **options: Any) -> pa.Table:
        return self.scanner(columns, *args, **options).to_table()

    def to_batches(self, columns: Any = None, *args: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        return self.scanner(columns, *args, **options).to_batches()

    def to_pandas(self, columns: Any = None, *args: Any, **options: Any) -> Any:
        if options.get("nearest") is None:
            return self._lance.to_pandas(columns, *args, **options)
        return self.to_table(columns, *args, **options).to_pandas()

    def _reason_for_pylance(self, options: dict[str, Any]) -> str | None:
        """What of a scanner's arguments fewter does not do; None if it does all of it."""
        nearest = options.get("nearest")
        if not isinstance(nearest, dict):
            return "no vector search"
        unknown = nearest.keys() - NEAREST_KEYS
        if any(nearest[key] is not None for key in unknown):
            return f"nearest has {', '.join(sorted(unknown))}"
        if self._lance._default_scan_options is not None:
            return "the dataset has default scan options"
        given = {name for name, value in options.items() if value is not None}
        if not given <= _SERVED | _IGNORED:
            return f"the options {', '.join(sorted(given - _SERVED - _IGNORED))}"
        if not isinstance(options.get("filter"), (str, pc.Expression, type(None))):
            return "a filter that searches"
        columns = options.get("columns")
        is_names = isinstance(columns, (list, tuple)) and all(isinstance(name, str) for name in columns)
        return None if columns is None or is_names else "columns that are expressions"


class NearestScanner:
    """What `AcceleratedDataset.scanner` returns for a vector search: the functions of pylance's scanner that read; the
    others, such as explain_plan, are pylance's own."""

    def __init__(self, dataset: AcceleratedDataset, options: dict[str, Any]) -> None:
        self._dataset = dataset
        self._options = options
        served = {name: value for name, value in options.items() if name in _SERVED and value is not None}
        served["nearest"] = {key: value for key, value in served["nearest"].items() if value is not None}
        self._search = dataset.table.prepare_nearest(**served)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset.lance.scanner(**self._options), name)

    def to_table(self) -> pa.Table:
        try:
            return self._search()
        except _FAILURES as error:
            _log.info("pylance answers: %s", error)
            return self._dataset.lance.scanner(**self._options).to_table()

    def to_reader(self) -> pa.RecordBatchReader:
        return self.to_table().to_reader(self._options.get("batch_size"))

    def to_batches(self) -> Iterator[pa.RecordBatch]:
        return iter(self.to_reader())

    def count_rows(self) -> int:
        return self.to_table().num_rows


def _open(dataset: lance.LanceDataset, **options: Any) -> Table:
    return open(dataset.uri, version=dataset.version, storage_options=dataset._storage_options, **options)


def accelerate(
    dataset: lance.LanceDataset, *, session: Session | None = None, cache: CacheChoice | None = None
) -> AcceleratedDataset:
    """Wraps a pylance dataset so that fewter answers its vector searches:

        dataset = fewter.accelerate(lance.dataset("packages.lance"))
        dataset.to_table(nearest={"column": "vector", "q": q, "k": 10}, columns=["name"])

    `session` and `cache` are those of `open`. What the two may answer differently is in docs/architecture.md; without
    `nprobes` fewter searches 20 partitions, where pylance has a rule of its own.
    """
    return AcceleratedDataset(dataset, session, cache)
