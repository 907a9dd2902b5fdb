"""What tables share."""

from __future__ import annotations

import atexit
import os
import threading
import urllib.parse
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from fewter import _core
from fewter.backend import CacheBackend
from fewter.trace import Span, TraceListener

Tier = str | os.PathLike[str] | CacheBackend
CacheChoice = Tier | Sequence[Tier]

_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


class Session:
    """A cache and threads, to be shared by many tables: `fewter.open(uri, session=session)`.

    `cache` says where index parts are kept: a URI (`memory://?capacity=512MiB`, `disk:///var/cache/fewter?capacity=20GiB`,
    `redis://host:6379`, several of them separated by commas, or `none`), a folder (memory over a disk cache in it), a
    `CacheBackend`, or a sequence of these, nearest first. Without one, 1 GiB of memory. `data_cache` is where pages of
    data files of remote stores are kept, if they are not to share `cache`.

    `trace_listener` is called with the spans (`fewter.trace.Span`) of every search, opening, take and prewarming when it has
    ended, on the thread that called it; `fewter.opentelemetry.trace_listener()` is one. What it raises is told by
    `sys.unraisablehook`.

    What is written behind is flushed when the process ends, and by `flush`.
    """

    def __init__(
        self,
        cache: CacheChoice | None = None,
        *,
        data_cache: CacheChoice | None = None,
        trace_listener: TraceListener | None = None,
    ) -> None:
        self._session = _core.Session(
            cache=None if cache is None else _open_cache(cache),
            data_cache=None if data_cache is None else _open_cache(data_cache),
            trace_listener=None if trace_listener is None else _of_spans(trace_listener),
        )
        _sessions.add(self)

    def __repr__(self) -> str:
        stats = self.stats()
        tiers = ", ".join(tier["kind"] for tier in stats["tiers"])
        return f"<fewter.Session: {tiers or 'no cache'}; {stats['entries']} entries>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a fewter.Session is not pickled: make one in each process; those of one disk cache share it")

    def stats(self) -> dict[str, Any]:
        """What the cache has done: hits, misses, loads, entries, bytes, and for each of its `tiers` the same with its
        `kind`, `state`, counts by type of entry, and `faults` with the `last_message`."""
        return self._session.stats()

    def data_stats(self) -> dict[str, Any]:
        """The same of the data cache; of `cache` if there is none."""
        return self._session.data_stats()

    def metrics(self) -> str:
        """What the session counts, in Prometheus' text format (docs/metrics.md), for the /metrics of a server."""
        return self._session.metrics()

    def flush(self) -> None:
        """Returns when what was inserted before is as safe as the tiers make it: on disk, sent, or given up."""
        self._session.flush()

    def clear(self) -> None:
        """Drops all entries, in all tiers."""
        self._session.clear()


def _of_spans(listener: TraceListener) -> Callable[[list[tuple[Any, ...]]], object]:
    return lambda spans: listener([Span(*span) for span in spans])


def _open_tiers(choice: Tier) -> list[_core.Cache]:
    if isinstance(choice, CacheBackend):
        return [_core.python_cache(choice)]
    text = os.fspath(choice)
    if "://" in text or text == "none":
        return [_core.open_cache(text)]
    # The name of a kind alone would be that of a folder.
    if isinstance(choice, str) and (text in _core.cache_kinds() or ":" in text.partition("/")[0]):
        # The rest may hold a password.
        raise ValueError(
            f"cache '{text.partition(':')[0]}' is no URI: these are memory://?capacity=512MiB, disk:///var/cache/fewter, "
            "redis://host:6379, or none; a folder of such a name is ./name"
        )
    # A folder, as the command line understands it.
    return [_core.open_cache("memory://"), _core.open_cache("disk://" + urllib.parse.quote(os.path.abspath(text)))]


def _open_cache(choice: CacheChoice) -> _core.Cache:
    choices = [choice] if isinstance(choice, (str, os.PathLike, CacheBackend)) else choice
    tiers = [tier for one in choices for tier in _open_tiers(one)]
    return tiers[0] if len(tiers) == 1 else _core.tiered_cache(tiers)


_default: Session | None = None
_default_lock = threading.Lock()


def default_session() -> Session:
    """The session of tables that are opened without a session or a cache: 1 GiB of memory for all of them."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Session()
        return _default


@atexit.register
def _flush_sessions() -> None:
    for session in list(_sessions):
        session.flush()
